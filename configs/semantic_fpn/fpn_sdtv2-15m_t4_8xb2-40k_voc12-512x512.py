_base_ = [
    '../_base_/models/semantic-fpn_sdtv2_spike-fpn.py',
    '../_base_/datasets/voc12_512x512.py',
    '../_base_/schedules/seg_bs16_adamw-t4-40k.py',
    '../_base_/default_runtime_seg.py',
]

model = dict(backbone=dict(T=4, init_cfg=None), decode_head=dict(num_classes=21))  # all weights come from load_from
load_from = 'work_dirs/fpn_sdtv2-15m_t1_8xb2-80k_voc12-512x512/iter_80000.pth'  # where tools/train.py puts T=1
