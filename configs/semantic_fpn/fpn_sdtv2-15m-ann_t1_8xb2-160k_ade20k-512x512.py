# The twin with mmseg's stock neck and head: what the spiking ones cost or save.
_base_ = [
    '../_base_/models/semantic-fpn_sdtv2_fpn.py',
    '../_base_/datasets/ade20k_512x512.py',
    '../_base_/schedules/seg_bs16_adamw-160k.py',
    '../_base_/default_runtime_seg.py',
]
