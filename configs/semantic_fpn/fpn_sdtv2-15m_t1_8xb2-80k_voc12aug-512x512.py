_base_ = [
    '../_base_/models/semantic-fpn_sdtv2_spike-fpn.py',
    '../_base_/datasets/voc12aug_512x512.py',
    '../_base_/schedules/seg_bs16_adamw-80k.py',
    '../_base_/default_runtime_seg.py',
]

model = dict(decode_head=dict(num_classes=21))
optim_wrapper = dict(paramwise_cfg=dict(custom_keys=dict(decode_head=dict(lr_mult=10.0))))  # as released
