"""Whole detectors and segmentors with spiking or stock necks and heads on Meta-SpikeFormer."""

import copy
import functools
import re

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import ConfigDict
from mmengine.registry import DefaultScope
from small_nets import firing, strengthen
from small_tasks import SIZES, STRIDES, cascade_mask_rcnn, images, mask_rcnn, retinanet, semantic_fpn, yolox
from torch import Tensor, nn

CONFIGS = {
    'Mask R-CNN': mask_rcnn,
    'Mask R-CNN, stock heads': functools.partial(mask_rcnn, spiking=False),
    'Cascade Mask R-CNN': cascade_mask_rcnn,
    'RetinaNet': retinanet,
    'YOLOX': yolox,
    'Semantic FPN': semantic_fpn,
    'Semantic FPN, all steps': functools.partial(semantic_fpn, time_reduction=None),
    'Semantic FPN, stock head': functools.partial(semantic_fpn, spiking=False),
}
every_model = pytest.mark.parametrize('name', CONFIGS)
detectors = pytest.mark.parametrize('name', [name for name in CONFIGS if 'Semantic' not in name])
WITH_MASKS = [name for name in CONFIGS if 'Mask' in name]


def scope(name: str) -> str:
    return 'mmseg' if 'Semantic' in name else 'mmdet'


def data(name: str, *objects: int) -> dict:
    """A batch; mmseg tests images of one size together."""
    objects = objects or (3, 1)
    if 'Semantic' in name:
        batch = images(objects, SIZES[:1] * len(objects))
        return dict(inputs=batch['inputs'], data_samples=batch['segmentation'])
    batch = images(objects)
    return dict(inputs=batch['inputs'], data_samples=batch['detection'])


@functools.cache
def _built(name: str) -> nn.Module:
    with DefaultScope.overwrite_default_scope(scope(name)):
        model = strengthen(MODELS.build(ConfigDict(CONFIGS[name]())))
    for key, m in model.named_modules():
        if isinstance(m, nn.BatchNorm2d):
            m.momentum = 1.0  # evaluation fires as the last step of training did
        if re.search(r'_(cls|reg)(\.\d)?$', key) and hasattr(m, 'weight'):
            m.weight.data /= 50  # nothing is certain, and boxes are near their anchors
            m.bias.data /= 50
    return model


def build(name: str) -> nn.Module:
    return copy.deepcopy(_built(name)).train()


def loss(model: nn.Module, batch: dict) -> Tensor:
    torch.manual_seed(0)  # samplers draw
    losses = model(**model.data_preprocessor(copy.deepcopy(batch), True), mode='loss')
    total, parts = model.parse_losses(losses)
    assert len(parts) > 1 and all(torch.isfinite(value).all() for value in parts.values())
    return total


def predict(model: nn.Module, batch: dict) -> list:
    with torch.no_grad():
        return model.test_step(batch)





@every_model
@pytest.mark.parametrize('objects', [(3, 1), (3,)], ids=['batch 2', 'batch 1'])
def test_every_parameter_learns(name, objects):
    """But the class of YOLOX's highest level: SimOTA gives it none of these objects."""
    model, losses = build(name), []
    firing(model, lambda: losses.append(loss(model, data(name, *objects))))
    losses[0].backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in model.parameters())
    silent = {key for key, p in model.named_parameters() if not p.grad.any()}
    removed = {key for key in silent if key.startswith('backbone') and key.endswith('conv.bias')}  # by a norm
    assert all(name == 'YOLOX' and '.2.' in key for key in silent - removed), silent - removed


@pytest.mark.parametrize('name', WITH_MASKS)
def test_there_may_be_more_images_than_time_steps(name):
    model = build(name)
    model.backbone.T = 1
    loss(model, data(name, 1, 3)).backward()
    assert all(p.grad.abs().sum() > 0 for p in model.roi_head.parameters())


@every_model
@pytest.mark.parametrize('objects', [(1, 0), (0, 0), (0,)], ids=str)
def test_images_may_have_no_objects(name, objects):
    model = build(name)
    loss(model, data(name, *objects)).backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)
    assert sum(p.grad.abs().sum() for p in model.backbone.parameters()) > 0


@every_model
def test_recomputing_in_the_backward_changes_nothing(name):
    results = []
    for with_cp in (False, True):
        model = build(name)
        parts = [m for m in model.modules() if hasattr(m, 'with_cp')]
        assert model.backbone in parts
        for part in parts:  # necks and heads as well, where they can
            part.with_cp = with_cp
        total = loss(model, data(name))
        total.backward()
        results.append([total.detach(), *(p.grad for p in model.parameters())])
    assert results[0][0] > 0
    for plain, recomputed in zip(*results, strict=True):
        assert (plain - recomputed).norm() <= 1e-4 * plain.norm() + 1e-5


@every_model
@pytest.mark.parametrize('objects', [(3, 1), (3,)], ids=['batch 2', 'batch 1'])
def test_predictions_have_the_size_of_the_original_image(name, objects):
    model, batch = build(name), data(name, *objects)
    with torch.no_grad():
        loss(model, batch)
    outs = []
    firing(model.eval(), lambda: outs.extend(predict(model, batch)))
    assert len(outs) == len(objects)
    sizes = SIZES[:1] * 2 if 'Semantic' in name else SIZES
    for (h, w), out in zip(sizes, outs, strict=False):
        if 'Semantic' in name:
            assert out.pred_sem_seg.data.shape == (1, 2 * h, 2 * w)
            continue
        boxes = out.pred_instances.bboxes
        assert boxes[:, 2].max() > w or boxes[:, 3].max() > h  # not at the size of the input
        if name != 'YOLOX':  # does not clip its boxes
            assert (boxes >= 0).all() and (boxes <= torch.tensor([2 * w, 2 * h] * 2)).all()
        if name in WITH_MASKS:
            assert out.pred_instances.masks.shape == (len(boxes), 2 * h, 2 * w)


@every_model
def test_a_second_prediction_is_that_of_the_first(name):
    model, batch = build(name).eval(), data(name)
    first, _, second = (predict(model, b) for b in (batch, data(name, 1), batch))
    for a, b in zip(first, second, strict=True):
        if 'Semantic' in name:
            assert torch.equal(a.seg_logits.data, b.seg_logits.data) and a.seg_logits.data.std() > 0
        else:
            assert torch.equal(a.pred_instances.bboxes, b.pred_instances.bboxes)
            assert torch.equal(a.pred_instances.scores, b.pred_instances.scores) and len(a.pred_instances) > 0


@detectors
def test_nothing_may_be_found(name):
    model = build(name).eval()
    assert all(len(out.pred_instances) > 0 for out in predict(model, data(name)))
    getattr(model, 'roi_head', getattr(model, 'bbox_head', None)).test_cfg['score_thr'] = 2.0
    for (h, w), out in zip(SIZES, predict(model, data(name)), strict=True):
        assert out.pred_instances.bboxes.shape == (0, 4)
        assert name not in WITH_MASKS or out.pred_instances.masks.shape == (0, 2 * h, 2 * w)


@pytest.mark.parametrize('name', WITH_MASKS)
def test_nothing_may_be_proposed(name):
    model = build(name)
    model.train_cfg.rpn_proposal['min_bbox_size'] = 1000
    rois = []
    head = model.roi_head.bbox_head[0] if 'Cascade' in name else model.roi_head.bbox_head
    head.register_forward_pre_hook(lambda module, args: rois.append(args[0].shape[-4]))
    loss(model, data(name, 0, 0)).backward()
    assert rois == [0]
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


@pytest.mark.parametrize('name', [name for name in CONFIGS if 'stock' not in name])
def test_trains_under_autocast(name):
    model, losses = build(name), []
    with torch.autocast('cpu', torch.bfloat16):
        firing(model, lambda: losses.append(loss(model, data(name))))
    losses[0].backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


@torch.no_grad()
def test_anchors_stand_on_the_pixels_of_their_map_inside_the_image():
    model, h, w = build('Mask R-CNN'), 96, 160
    sizes = [x.shape[-2:] for x in model.extract_feat(torch.zeros(1, 3, h, w))]
    anchors = model.rpn_head.prior_generator.grid_priors(sizes, device='cpu')
    for boxes, (map_h, map_w), stride, size in zip(anchors, sizes, STRIDES, [32, 64, 128, 256, 512], strict=True):
        assert (map_h * stride, map_w * stride) == (h, w)
        x, y = (boxes[:, 0] + boxes[:, 2]) / 2, (boxes[:, 1] + boxes[:, 3]) / 2
        assert x.round().unique().tolist() == list(range(0, w, stride))
        assert y.round().unique().tolist() == list(range(0, h, stride))
        assert torch.allclose(x, x.round(), atol=1e-3) and torch.allclose(y, y.round(), atol=1e-3)
        areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        torch.testing.assert_close(areas.sqrt(), torch.full_like(areas, size))


@torch.no_grad()
def test_rois_are_read_at_the_strides_of_their_maps():
    model = build('Mask R-CNN')
    maps = model.extract_feat(torch.zeros(1, 3, 96, 160))
    for extractor in (model.roi_head.bbox_roi_extractor, model.roi_head.mask_roi_extractor):
        scales = [layer.spatial_scale for layer in extractor.roi_layers]
        assert scales == [x.shape[-1] / 160 for x in maps[:4]]
