_base_ = [
    '../_base_/models/retinanet_sdtv2_spike-fpn.py',
    '../_base_/datasets/coco_detection.py',
    '../_base_/schedules/coco_bs16_adamw-3x.py',
    '../_base_/default_runtime_det.py',
]

# Of the released RetinaNet config: a longer warm-up and a linear decay; to a hundredth, as its Mask R-CNN's.
param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=4000),
    dict(
        type='LinearLR', start_factor=1.0, end_factor=0.01, by_epoch=True, begin=0, end=36,
        convert_to_iter_based=True),
]
