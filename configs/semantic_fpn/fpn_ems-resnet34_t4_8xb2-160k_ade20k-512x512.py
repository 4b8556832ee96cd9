_base_ = [
    '../_base_/models/semantic-fpn_ems-resnet_spike-fpn.py',
    '../_base_/datasets/ade20k_512x512.py',
    '../_base_/schedules/seg_bs16_adamw-160k.py',
    '../_base_/default_runtime_seg.py',
]
