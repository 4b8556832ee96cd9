"""Configs of whole detectors and segmentors on Meta-SpikeFormer, and images with objects for them."""

import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.structures import InstanceData, PixelData
from mmseg.structures import SegDataSample

WIDTHS = (8, 16, 24, 32, 40)
NANO = dict(embed_dims=WIDTHS, num_heads=4, depths=(1, 1, 1, 1, 1))
NMS = dict(type='nms', iou_threshold=0.5)
CODER = dict(type='DeltaXYWHBBoxCoder')
PIXELS = dict(mean=[127.0] * 3, std=[60.0] * 3, bgr_to_rgb=True)
STRIDES = [4, 8, 16, 16, 32]  # the backbone halves an image four times; the fifth level is pooled
SIZES = [(60, 50), (48, 64)]  # height and width of the images


def _backbone(arch: str | dict, **options) -> dict:
    return dict(type='spikemm.MetaSpikeFormer', arch=arch, T=2, **options)


def _assign(iou: float) -> dict:
    return dict(type='MaxIoUAssigner', pos_iou_thr=iou, neg_iou_thr=iou, min_pos_iou=0.0)


def mask_rcnn(
    spiking: bool = True, arch: str | dict = NANO, widths: tuple = WIDTHS, C: int = 16, fc: int = 24, classes: int = 3,
    **backbone,
) -> dict:
    """Mask R-CNN with spiking neck and heads, or with the stock ones on the mean over time."""
    spike = 'spikemm.Spike' if spiking else ''
    extractor = dict(
        type=f'{spike}RoIExtractor' if spiking else 'SingleRoIExtractor', out_channels=C, featmap_strides=STRIDES[:4])
    sampler = dict(type='RandomSampler', num=32, pos_fraction=0.5)
    proposals = dict(nms_pre=100, max_per_img=20, nms=NMS, min_bbox_size=0)
    return dict(
        type='MaskRCNN',
        data_preprocessor=dict(type='DetDataPreprocessor', pad_mask=True, pad_size_divisor=32, **PIXELS),
        backbone=_backbone(arch, out_indices=(1, 2, 3, 4), time_reduction=None if spiking else 'mean', **backbone),
        neck=dict(type=f'{spike}FPN', in_channels=list(widths[1:]), out_channels=C, num_outs=5),
        rpn_head=dict(
            type=f'{spike}RPNHead', in_channels=C, feat_channels=C,
            anchor_generator=dict(
                type='AnchorGenerator', scales=[8], ratios=[0.5, 1.0, 2.0], strides=STRIDES,
                base_sizes=[4, 8, 16, 32, 64])),
        roi_head=dict(
            type='spikemm.SpikeStandardRoIHead' if spiking else 'StandardRoIHead',
            bbox_roi_extractor=dict(extractor, roi_layer=dict(type='RoIAlign', output_size=7, sampling_ratio=0)),
            bbox_head=dict(
                type=f'{spike}Shared2FCBBoxHead', in_channels=C, fc_out_channels=fc, num_classes=classes,
                bbox_coder=CODER),
            mask_roi_extractor=dict(extractor, roi_layer=dict(type='RoIAlign', output_size=14, sampling_ratio=0)),
            mask_head=dict(
                type=f'{spike}FCNMaskHead', num_convs=4, in_channels=C, conv_out_channels=C, num_classes=classes)),
        train_cfg=dict(
            rpn=dict(
                assigner=_assign(0.5), sampler=dict(sampler, num=512, add_gt_as_proposals=False), allowed_border=-1,
                pos_weight=-1),
            rpn_proposal=proposals,
            rcnn=dict(
                assigner=_assign(0.5), sampler=dict(sampler, add_gt_as_proposals=True), mask_size=28, pos_weight=-1)),
        test_cfg=dict(rpn=proposals, rcnn=dict(score_thr=0.0, nms=NMS, max_per_img=5, mask_thr_binary=0.5)))


def cascade_mask_rcnn(**backbone) -> dict:
    model = mask_rcnn(**backbone)
    roi_head, rcnn = model['roi_head'], model['train_cfg']['rcnn']
    roi_head['bbox_head'] = [dict(roi_head['bbox_head'], reg_class_agnostic=True) for _ in range(3)]
    roi_head.update(type='spikemm.SpikeCascadeRoIHead', num_stages=3, stage_loss_weights=[1, 0.5, 0.25])
    model['train_cfg']['rcnn'] = [dict(rcnn, assigner=_assign(iou)) for iou in (0.5, 0.6, 0.7)]
    return dict(model, type='CascadeRCNN')


def retinanet(**backbone) -> dict:
    return dict(
        type='RetinaNet',
        data_preprocessor=dict(type='DetDataPreprocessor', pad_size_divisor=32, **PIXELS),
        backbone=_backbone(NANO, out_indices=(2, 4), **backbone),
        neck=dict(
            type='spikemm.SpikeFPN', in_channels=[24, 40], out_channels=16, num_outs=4, add_extra_convs='on_output'),
        bbox_head=dict(
            type='spikemm.SpikeRetinaHead', num_classes=3, in_channels=16, feat_channels=16, stacked_convs=2,
            anchor_generator=dict(
                type='AnchorGenerator', octave_base_scale=4, scales_per_octave=3, ratios=[0.5, 1.0, 2.0],
                strides=[8, 16, 32, 64]),
            bbox_coder=CODER),
        train_cfg=dict(
            assigner=_assign(0.5), sampler=dict(type='PseudoSampler'), allowed_border=-1, pos_weight=-1, debug=False),
        test_cfg=dict(nms_pre=100, min_bbox_size=0, score_thr=0.0, nms=NMS, max_per_img=5))


def yolox(**backbone) -> dict:
    return dict(
        type='YOLOX',
        data_preprocessor=dict(type='DetDataPreprocessor', pad_size_divisor=32, **PIXELS),
        backbone=_backbone(NANO, out_indices=(2, 4), **backbone),
        neck=dict(
            type='spikemm.SpikeFPN', in_channels=[24, 40], out_channels=16, num_outs=3, add_extra_convs='on_output',
            norm_cfg=dict(type='BN')),
        bbox_head=dict(type='spikemm.SpikeYOLOXHead', num_classes=3, in_channels=16, feat_channels=16),
        train_cfg=dict(assigner=dict(type='SimOTAAssigner', center_radius=2.5)),
        test_cfg=dict(score_thr=0.0, nms=NMS, max_per_img=5))


def semantic_fpn(
    spiking: bool = True, arch: str | dict = NANO, widths: tuple = WIDTHS, C: int = 16, classes: int = 3, **backbone,
) -> dict:
    """Semantic FPN with spiking neck and head (one step of them, as released), or with the stock ones."""
    spike, (*first, _, last) = 'spikemm.Spike' if spiking else '', widths
    return dict(
        type='EncoderDecoder',
        data_preprocessor=dict(
            type='SegDataPreProcessor', size=(64, 64), seg_pad_val=255, test_cfg=dict(size_divisor=32), **PIXELS),
        backbone=_backbone(arch, out_indices=(0, 1, 2, 4), **{'time_reduction': 'mean', **backbone}),
        neck=dict(type=f'{spike}FPN', in_channels=[*first, last], out_channels=C, num_outs=4),
        decode_head=dict(
            type=f'{spike}FPNHead', in_channels=[C] * 4, in_index=[0, 1, 2, 3], feature_strides=[2, 4, 8, 16],
            channels=C, num_classes=classes, norm_cfg=dict(type='BN'), align_corners=False,
            loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True)),
        train_cfg=dict(),
        test_cfg=dict(mode='whole'))


def images(objects: tuple[int, ...], sizes: list[tuple[int, int]] = SIZES) -> dict:
    """A batch for any of the models above: as many images as ``objects``, each with that many of them (0 to 3).

    The original images are twice as large. A segmentor ignores an image without objects, except for a corner.
    """
    g = torch.Generator().manual_seed(0)
    boxes, labels = torch.tensor([[16.0, 17, 48, 47], [8, 8, 25, 24], [36, 4, 44, 12]]), torch.tensor([0, 2, 1])
    batch = dict(inputs=[], detection=[], segmentation=[])
    for (h, w), n in zip(sizes, objects, strict=False):
        batch['inputs'].append(torch.randint(0, 256, (3, h, w), generator=g, dtype=torch.uint8))
        masks = np.zeros((n, h, w), np.uint8)
        classes = torch.full((1, h, w), 1 if n else 255)
        for i, (x1, y1, x2, y2) in enumerate(boxes[:n].int().tolist()):
            masks[i, y1:y2, x1:x2] = 1
            classes[:, y1:y2, x1:x2] = labels[i]
        classes[:, :2, :2] = 1
        size = dict(img_shape=(h, w), ori_shape=(2 * h, 2 * w), pad_shape=(h, w), scale_factor=(0.5, 0.5))
        objects_here = InstanceData(bboxes=boxes[:n], labels=labels[:n], masks=BitmapMasks(masks, h, w))
        ignored = InstanceData(bboxes=boxes[:0], labels=labels[:0])
        batch['detection'].append(
            DetDataSample(metainfo=size, gt_instances=objects_here, ignored_instances=ignored))
        batch['segmentation'].append(SegDataSample(metainfo=size, gt_sem_seg=PixelData(data=classes)))
    return batch
