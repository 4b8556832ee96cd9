# The ANN with which the paper's Table 4 compares; neck and head are mmseg's, as wide as there.
_base_ = [
    '../_base_/models/semantic-fpn_sdtv2_fpn.py',
    '../_base_/datasets/ade20k_512x512.py',
    '../_base_/schedules/seg_bs16_adamw-160k.py',
    '../_base_/default_runtime_seg.py',
]
model = dict(
    backbone=dict(
        _delete_=True,
        type='ResNet',
        depth=18,
        out_indices=(0, 1, 2, 3),
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet18')),
    neck=dict(in_channels=[64, 128, 256, 512], out_channels=256),
    decode_head=dict(in_channels=[256, 256, 256, 256], feature_strides=[4, 8, 16, 32]))
# of mmdet's PVT
optim_wrapper = dict(optimizer=dict(lr=1e-4, weight_decay=1e-4))
