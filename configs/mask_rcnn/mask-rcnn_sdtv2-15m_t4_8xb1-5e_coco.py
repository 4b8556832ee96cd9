_base_ = [
    '../_base_/models/mask-rcnn_sdtv2_spike-fpn.py',
    '../_base_/datasets/coco_instance.py',
    '../_base_/schedules/coco_bs8_adamw-t4-5e.py',
    '../_base_/default_runtime_det.py',
]

# All weights come from load_from; with one image a GPU its norms keep the statistics they have.
model = dict(backbone=dict(T=4, norm_eval=True, init_cfg=None))
train_dataloader = dict(batch_size=1)
load_from = 'work_dirs/mask-rcnn_sdtv2-15m_t1_8xb2-1x_coco/epoch_12.pth'  # where tools/train.py puts the run at T=1
