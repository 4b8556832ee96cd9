# The ANN with which the paper's Table 3 compares; neck and heads are mmdet's.
_base_ = [
    '../_base_/models/mask-rcnn_sdtv2_fpn.py',
    '../_base_/datasets/coco_instance.py',
    '../_base_/schedules/coco_bs16_adamw-1x.py',
    '../_base_/default_runtime_det.py',
]
strides = [4, 8, 16, 32, 64]
model = dict(
    backbone=dict(
        _delete_=True,
        type='ResNet',
        depth=18,
        out_indices=(0, 1, 2, 3),
        frozen_stages=1,
        norm_eval=True,
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet18')),
    neck=dict(in_channels=[64, 128, 256, 512]),
    rpn_head=dict(anchor_generator=dict(strides=strides)),
    roi_head=dict(
        bbox_roi_extractor=dict(featmap_strides=strides[:4]), mask_roi_extractor=dict(featmap_strides=strides[:4])))
# of mmdet's PVT
optim_wrapper = dict(optimizer=dict(lr=1e-4, weight_decay=1e-4))
