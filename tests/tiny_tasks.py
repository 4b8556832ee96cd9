"""Small stock models of detection and segmentation with the images they train on, for tests of what runs them."""

import json

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope

CLASSES = ['cat', 'dog', 'owl']
SIZES = ((60, 80), (60, 80), (80, 60), (64, 64))  # height and width of the images

RUN = """
val_dataloader = test_dataloader
val_evaluator = test_evaluator
train_cfg, val_cfg, test_cfg = dict(by_epoch=True, max_epochs=1), dict(), dict()
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.01))
work_dir = '{folder}/work'
"""

DETECTION = """
default_scope = 'mmdet'
channels, strides = 16, [4, 8, 16, 32]
def_coder = dict(type='DeltaXYWHBBoxCoder')
cross_entropy, l1 = dict(type='CrossEntropyLoss', use_sigmoid=True), dict(type='L1Loss')
nms = dict(type='nms', iou_threshold=0.5)
assigner = dict(type='MaxIoUAssigner', pos_iou_thr=0.5, neg_iou_thr=0.5, min_pos_iou=0.0)
sampler = dict(type='RandomSampler', num=32, pos_fraction=0.5, add_gt_as_proposals=True)
extractor = dict(type='SingleRoIExtractor', out_channels=channels, featmap_strides=strides)
align = dict(type='RoIAlign', sampling_ratio=0)
model = dict(
    type='MaskRCNN',
    data_preprocessor=dict(type='DetDataPreprocessor', mean=[127.] * 3, std=[60.] * 3, pad_mask=True),
    backbone=dict(type='ResNet', depth=18, base_channels=8, norm_eval=False),
    neck=dict(type='FPN', in_channels=[8, 16, 32, 64], out_channels=channels, num_outs=5),
    rpn_head=dict(
        type='RPNHead', in_channels=channels, feat_channels=channels, bbox_coder=def_coder,
        anchor_generator=dict(type='AnchorGenerator', scales=[4], ratios=[1.0], strides=strides + [64]),
        loss_cls=cross_entropy, loss_bbox=l1),
    roi_head=dict(
        type='StandardRoIHead',
        bbox_roi_extractor=dict(extractor, roi_layer=dict(align, output_size=7)),
        bbox_head=dict(
            type='Shared2FCBBoxHead', in_channels=channels, fc_out_channels=32, num_classes=3, bbox_coder=def_coder,
            loss_cls=dict(type='CrossEntropyLoss'), loss_bbox=l1),
        mask_roi_extractor=dict(extractor, roi_layer=dict(align, output_size=14)),
        mask_head=dict(
            type='FCNMaskHead', num_convs=1, in_channels=channels, conv_out_channels=channels, num_classes=3,
            loss_mask=dict(type='CrossEntropyLoss', use_mask=True))),
    train_cfg=dict(
        rpn=dict(assigner=assigner, sampler=sampler, allowed_border=-1, pos_weight=-1),
        rpn_proposal=dict(nms_pre=50, max_per_img=20, nms=nms, min_bbox_size=0),
        rcnn=dict(assigner=assigner, sampler=sampler, mask_size=28, pos_weight=-1)),
    test_cfg=dict(
        rpn=dict(nms_pre=50, max_per_img=20, nms=nms, min_bbox_size=0),
        rcnn=dict(score_thr=0.0, nms=nms, max_per_img=5, mask_thr_binary=0.5)))
resize = dict(type='Resize', scale=(128, 96), keep_ratio=True)
annotations = dict(type='LoadAnnotations', with_bbox=True, with_mask=True)
data = dict(
    type='CocoDataset', data_root='{folder}', ann_file='objects.json', data_prefix=dict(img='images'),
    metainfo=dict(classes={classes}))
train_dataloader = dict(
    batch_size=2, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(data, pipeline=[
        dict(type='LoadImageFromFile'), annotations, resize, dict(type='RandomFlip', prob=1.0),
        dict(type='PackDetInputs')]))
test_dataloader = dict(
    batch_size=1, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(data, test_mode=True, pipeline=[
        dict(type='LoadImageFromFile'), resize, annotations,
        dict(type='PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'))]))
test_evaluator = dict(type='CocoMetric', ann_file='{folder}/objects.json', metric=['bbox', 'segm'])
""" + RUN

SEGMENTATION = """
default_scope = 'mmseg'
model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(type='SegDataPreProcessor', mean=[127.] * 3, std=[60.] * 3),
    backbone=dict(type='ResNet', depth=18, base_channels=8),
    decode_head=dict(
        type='FCNHead', in_channels=64, in_index=3, channels=8, num_convs=1, num_classes=3, align_corners=False,
        loss_decode=dict(type='CrossEntropyLoss')),
    test_cfg=dict(mode='whole'))
resize = dict(type='Resize', scale=(128, 96), keep_ratio=True)
data = dict(
    type='BaseSegDataset', data_root='{folder}', data_prefix=dict(img_path='images', seg_map_path='maps'),
    img_suffix='.png', metainfo=dict(classes={classes}), reduce_zero_label=False)
train_dataloader = dict(
    batch_size=2, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(data, pipeline=[
        dict(type='LoadImageFromFile'), dict(type='LoadAnnotations'), resize, dict(type='RandomFlip', prob=1.0),
        dict(type='PackSegInputs')]))
test_dataloader = dict(
    batch_size=1, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(data, test_mode=True, pipeline=[
        dict(type='LoadImageFromFile'), resize, dict(type='LoadAnnotations'), dict(type='PackSegInputs')]))
test_evaluator = dict(type='IoUMetric', iou_metrics=['mIoU'])
""" + RUN


def write_images(folder):
    """Write noise with one square of 20 x 30 pixels an image, and its annotations in both formats."""
    rng = np.random.default_rng(0)
    images, objects = [], []
    for name in ('images', 'maps'):
        (folder / name).mkdir(parents=True)
    for i, (height, width) in enumerate(SIZES):
        image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        image[5:25, 10:40] = (0, 0, 255)  # red, BGR
        labels = np.zeros((height, width), dtype=np.uint8)
        labels[5:25, 10:40] = 1 + i % 2
        cv2.imwrite(str(folder / 'images' / f'{i}.png'), image)
        cv2.imwrite(str(folder / 'maps' / f'{i}.png'), labels)
        images.append(dict(id=i, file_name=f'{i}.png', height=height, width=width))
        objects.append(dict(
            id=i, image_id=i, category_id=1 + i % 2, bbox=[10, 5, 30, 20], area=600, iscrowd=0,
            segmentation=[[10, 5, 40, 5, 40, 25, 10, 25]]))
    categories = [dict(id=i, name=name) for i, name in enumerate(CLASSES)]
    (folder / 'objects.json').write_text(json.dumps(dict(images=images, annotations=objects, categories=categories)))


def write_task(folder, text):
    """Write the images, the config ``text`` and a checkpoint of random weights; return the paths of the latter two."""
    write_images(folder)
    config, checkpoint = folder / 'tiny.py', folder / 'tiny.pth'
    config.write_text(text.format(folder=folder, classes=CLASSES))
    cfg = Config.fromfile(config)
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        model = MODELS.build(cfg.model)
    with torch.no_grad():
        for _ in range(20):  # the norms see data, without which the network would answer every image alike
            model.extract_feat(torch.randn(2, 3, 96, 96))
    torch.save(dict(state_dict=model.state_dict(), meta=dict(dataset_meta=dict(classes=CLASSES))), checkpoint)
    return config, checkpoint
