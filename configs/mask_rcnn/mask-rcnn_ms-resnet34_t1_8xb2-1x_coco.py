_base_ = [
    '../_base_/models/mask-rcnn_ms-resnet_spike-fpn.py',
    '../_base_/datasets/coco_instance.py',
    '../_base_/schedules/coco_bs16_adamw-1x.py',
    '../_base_/default_runtime_det.py',
]
