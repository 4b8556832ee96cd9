# The twin with mmdet's stock neck and heads: what the spiking ones cost or save.
_base_ = [
    '../_base_/models/mask-rcnn_sdtv2_fpn.py',
    '../_base_/datasets/coco_instance.py',
    '../_base_/schedules/coco_bs16_adamw-1x.py',
    '../_base_/default_runtime_det.py',
]
