"""mmdet's own detectors, built from dicts, on the operators served here."""

import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.config import ConfigDict
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData

SIZE = 96
CHANNELS = 16
BACKBONE = dict(type='ResNet', depth=18, base_channels=8, norm_eval=False)
NECK = dict(type='FPN', in_channels=[8, 16, 32, 64], out_channels=CHANNELS, num_outs=5)
ASSIGNER = dict(type='MaxIoUAssigner', pos_iou_thr=0.5, neg_iou_thr=0.5, min_pos_iou=0.0)
SAMPLER = dict(type='RandomSampler', num=32, pos_fraction=0.5, add_gt_as_proposals=True)
CODER = dict(type='DeltaXYWHBBoxCoder')
CROSS_ENTROPY = dict(type='CrossEntropyLoss', use_sigmoid=True)
L1 = dict(type='L1Loss')
SUPPRESS = dict(type='nms', iou_threshold=0.5)
STRIDES = [4, 8, 16, 32, 64]


def roi_layer(size):
    return dict(
        type='SingleRoIExtractor', roi_layer=dict(type='RoIAlign', output_size=size, sampling_ratio=0),
        out_channels=CHANNELS, featmap_strides=STRIDES[:4],
    )


RETINANET = dict(
    type='RetinaNet',
    backbone=BACKBONE,
    neck=NECK,
    bbox_head=dict(
        type='RetinaHead', num_classes=3, in_channels=CHANNELS, stacked_convs=1, feat_channels=CHANNELS,
        anchor_generator=dict(type='AnchorGenerator', octave_base_scale=4, scales_per_octave=1, ratios=[1.0],
                              strides=STRIDES),
        bbox_coder=CODER, loss_cls=dict(type='FocalLoss'), loss_bbox=L1,
    ),
    train_cfg=dict(assigner=ASSIGNER, sampler=dict(type='PseudoSampler'), allowed_border=-1, pos_weight=-1),
    test_cfg=dict(nms_pre=50, min_bbox_size=0, score_thr=0.0, nms=SUPPRESS, max_per_img=5),
)
MASK_RCNN = dict(
    type='MaskRCNN',
    backbone=BACKBONE,
    neck=NECK,
    rpn_head=dict(
        type='RPNHead', in_channels=CHANNELS, feat_channels=CHANNELS,
        anchor_generator=dict(type='AnchorGenerator', scales=[8], ratios=[1.0], strides=STRIDES),
        bbox_coder=CODER, loss_cls=CROSS_ENTROPY, loss_bbox=L1,
    ),
    roi_head=dict(
        type='StandardRoIHead',
        bbox_roi_extractor=roi_layer(7),
        bbox_head=dict(type='Shared2FCBBoxHead', in_channels=CHANNELS, fc_out_channels=32, num_classes=3,
                       bbox_coder=CODER, loss_cls=dict(type='CrossEntropyLoss'), loss_bbox=L1),
        mask_roi_extractor=roi_layer(14),
        mask_head=dict(type='FCNMaskHead', num_convs=1, in_channels=CHANNELS, conv_out_channels=CHANNELS,
                       num_classes=3, loss_mask=dict(type='CrossEntropyLoss', use_mask=True)),
    ),
    train_cfg=dict(
        rpn=dict(assigner=ASSIGNER, sampler=SAMPLER, allowed_border=-1, pos_weight=-1),
        rpn_proposal=dict(nms_pre=50, max_per_img=20, nms=SUPPRESS, min_bbox_size=0),
        rcnn=dict(assigner=ASSIGNER, sampler=SAMPLER, mask_size=28, pos_weight=-1),
    ),
    test_cfg=dict(
        rpn=dict(nms_pre=50, max_per_img=20, nms=SUPPRESS, min_bbox_size=0),
        rcnn=dict(score_thr=0.0, nms=SUPPRESS, max_per_img=5, mask_thr_binary=0.5),
    ),
)


@pytest.fixture(params=[RETINANET, MASK_RCNN], ids=['RetinaNet', 'Mask R-CNN'])
def detector(request):
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmdet'):
        return MODELS.build(ConfigDict(request.param, data_preprocessor=dict(type='DetDataPreprocessor')))


def samples():
    """Two images with an object each, of 32 x 32 pixels."""
    masks = torch.zeros(1, SIZE, SIZE, dtype=torch.uint8)
    masks[:, 16:48, 32:64] = 1
    sample = DetDataSample(metainfo=dict(
        img_shape=(SIZE, SIZE), ori_shape=(SIZE, SIZE), pad_shape=(SIZE, SIZE), batch_input_shape=(SIZE, SIZE),
        scale_factor=(1.0, 1.0),
    ))
    sample.gt_instances = InstanceData(
        bboxes=torch.tensor([[32.0, 16, 64, 48]]), labels=torch.tensor([1]),
        masks=BitmapMasks(masks.numpy(), SIZE, SIZE),
    )
    sample.ignored_instances = InstanceData(bboxes=torch.zeros(0, 4))
    return torch.randn(2, 3, SIZE, SIZE), [sample, sample.clone()]


def test_one_training_step_reaches_every_parameter(detector):
    losses = detector.loss(*samples())
    total, log = detector.parse_losses(losses)
    total.backward()
    assert all(value.isfinite() for value in log.values()), log
    without = [name for name, p in detector.named_parameters() if p.grad is None or not p.grad.isfinite().all()]
    assert not without


def test_prediction(detector):
    inputs, batch = samples()
    with torch.no_grad():
        results = detector.eval().predict(inputs, batch)
    for result in results:
        found = result.pred_instances
        assert 0 < len(found) <= 5
        assert found.bboxes.isfinite().all()
        if 'masks' in found:
            assert found.masks.shape == (len(found), SIZE, SIZE)
