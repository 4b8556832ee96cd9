"""RoI features of spiking maps, box and mask heads on spikes: by hand, and against the reference code.

The reference reads its maps at the strides 4, 8, 16 and 32 of a ResNet's pyramid, although its fourth has stride 16.
So do the golden files.
"""

import pytest
import torch
from mmdet.models.roi_heads.roi_extractors import SingleRoIExtractor
from small_nets import assert_reference, centre, firing, load_published, strengthen, tensor
from torch import Tensor

from spikemm.models import SpikeFCNMaskHead, SpikeRoIExtractor, SpikeShared2FCBBoxHead

NEURONS = {'sdt_v2_det_lif_T2': dict(type='LIF'), 'sdt_v2_det_int_T1': dict(type='Integer')}
both = pytest.mark.parametrize('name', NEURONS)

EXTRACTOR = dict(
    roi_layer=dict(type='RoIAlign', output_size=7, sampling_ratio=0), out_channels=4, featmap_strides=[4, 8],
    finest_scale=16)
ROIS = torch.tensor([[0, 3.3, 5.1, 21.7, 18.2], [1, 0, 0, 60, 50], [1, 10.5, 7.25, 19, 33], [0, 5, 5, 63, 40]])


def pyramid(*leading: int) -> list[Tensor]:
    return [tensor(*leading, 4, 16, 16), tensor(*leading, 4, 8, 8, seed=1)]


# ---- the reference code ----


@both
@torch.no_grad()
def test_features_are_those_of_the_reference(golden, name):
    expected, meta = golden(name)
    extractor, rois = SpikeRoIExtractor(**meta['bbox_roi_extractor']), expected['input.rois']
    assert set(extractor.map_roi_levels(rois, 4).tolist()) == {0, 1, 2, 3}
    maps = [expected[f'output.fpn{i}'] for i in range(4)]
    assert_reference(extractor(maps, rois), expected['feat.roi_bbox_feats'])


@both
@torch.no_grad()
def test_boxes_are_those_of_the_reference(golden, name):
    expected, meta = golden(name)
    head = SpikeShared2FCBBoxHead(**meta['bbox_head'], neuron=NEURONS[name])
    load_published(head, expected, 'roi_head.bbox_head.')
    firing(head, lambda: head(expected['feat.roi_bbox_feats']))
    cls_score, bbox_pred = head(expected['feat.roi_bbox_feats'])
    assert_reference(cls_score, expected['output.cls_score'].mean(0))
    assert_reference(bbox_pred, expected['output.bbox_pred'].mean(0))


@both
@torch.no_grad()
def test_masks_are_those_of_the_reference(golden, name):
    expected, meta = golden(name)
    head = SpikeFCNMaskHead(**meta['mask_head'], neuron=NEURONS[name])
    load_published(head, expected, 'roi_head.mask_head.')
    maps = [expected[f'output.fpn{i}'] for i in range(4)]
    features = SpikeRoIExtractor(**meta['mask_roi_extractor'])(maps, expected['input.rois'])
    firing(head, lambda: head(features))
    assert_reference(head(features), expected['output.mask_pred'])


# ---- features ----


@pytest.mark.parametrize('factor', [None, 1.5])
@torch.no_grad()
def test_features_of_a_step_are_those_of_the_stock_extractor(factor):
    maps, ours, stock = pyramid(3, 2), SpikeRoIExtractor(**EXTRACTOR), SingleRoIExtractor(**EXTRACTOR)
    assert set(stock.map_roi_levels(ROIS, 2).tolist()) == {0, 1}
    features = ours(maps, ROIS, factor)
    assert features.shape == (3, 4, 4, 7, 7)
    assert len({step.sum().item() for step in features}) == 3
    for t in range(3):
        assert torch.equal(features[t], stock([x[t] for x in maps], ROIS, factor))


@torch.no_grad()
def test_maps_without_time_give_features_without_time():
    maps = pyramid(2)
    features = SpikeRoIExtractor(**EXTRACTOR)(maps, ROIS)
    assert features.unique().numel() > 10
    assert torch.equal(features, SingleRoIExtractor(**EXTRACTOR)(maps, ROIS))


def test_features_give_a_gradient_to_every_step_of_every_map():
    maps = [x.requires_grad_() for x in pyramid(3, 2)]
    SpikeRoIExtractor(**EXTRACTOR)(maps, ROIS).square().sum().backward()
    assert all(image.abs().sum() > 0 for x in maps for step in x.grad for image in step)


@pytest.mark.parametrize('leading', [(3, 2), (2,)], ids=['time', 'no time'])
@torch.no_grad()
def test_half_precision_does_not_move_the_rois(leading):
    maps, extractor = [x.bfloat16() for x in pyramid(*leading)], SpikeRoIExtractor(**EXTRACTOR)
    full = extractor([x.float() for x in maps], ROIS)
    assert (extractor(maps, ROIS.bfloat16().float()) - full).abs().max() > 0.01  # 18.2 would become 18.25
    with torch.autocast('cpu', torch.bfloat16):
        assert torch.equal(extractor(maps, ROIS), full)


@pytest.mark.parametrize('leading, shape', [((3, 2), (3, 0, 4, 7, 7)), ((2,), (0, 4, 7, 7))], ids=['time', 'no time'])
def test_no_rois_give_no_features(leading, shape):
    maps = [x.requires_grad_() for x in pyramid(*leading)]
    features = SpikeRoIExtractor(**EXTRACTOR)(maps, torch.zeros(0, 5))
    assert features.shape == shape
    features.sum().backward()
    assert all(not x.grad.any() for x in maps)


@pytest.mark.parametrize('T', [1, 2])
def test_no_rois_give_no_boxes_and_no_masks_but_zero_gradients(T):
    bbox, mask = SpikeShared2FCBBoxHead(in_channels=4, num_classes=3), SpikeFCNMaskHead(in_channels=4, num_classes=3)
    cls_score, bbox_pred = bbox(torch.zeros(T, 0, 4, 7, 7))
    masks = mask(torch.zeros(T, 0, 4, 14, 14))
    assert (cls_score.shape, bbox_pred.shape, masks.shape) == ((0, 4), (0, 12), (0, 3, 28, 28))
    sum(x.sum() for x in (cls_score, bbox_pred, masks)).backward()
    assert all(not p.grad.any() for p in (*bbox.parameters(), *mask.parameters()))


# ---- heads, by hand ----


@pytest.mark.parametrize('fires, expected', [(False, (2.5, 5.25)), (True, (1.0, 3.0))], ids=['membranes', 'spikes'])
@torch.no_grad()
def test_two_steps_of_a_weak_input_become_a_box_by_hand(fires, expected):
    head = SpikeShared2FCBBoxHead(
        in_channels=1, roi_feat_size=1, fc_out_channels=1, num_classes=1, fire_before_output=fires)
    layers = (*head.shared_fcs, head.fc_cls, head.fc_reg)
    for fc, (weight, bias) in zip(layers, [(4.0, 0.0), (0.5, 1.0), (2.0, 0.0), (5.0, -1.0 + 0.5 * fires)], strict=True):
        fc.weight.data.fill_(weight)
        fc.bias.data.fill_(bias)
    cls_score, bbox_pred = head(torch.full((2, 1, 1, 1, 1), 1.5))
    # spikes 0, 1; then 0, 1; then potentials 1 and 1.5: mean 1.25, or, behind a neuron, 0.5 and 1.0: spikes 0, 1
    assert cls_score.eq(expected[0]).all() and bbox_pred.eq(2.0 if fires else expected[1]).all()


@pytest.mark.parametrize('relu, expected', [(True, 0.5), (False, 0.0)])
@torch.no_grad()
def test_the_relu_keeps_a_negative_current_from_the_next_neuron_by_hand(relu, expected):
    head = SpikeFCNMaskHead(
        num_convs=1, in_channels=1, conv_out_channels=1, num_classes=1, upsample_cfg=dict(type=None), relu=relu)
    centre(head.convs[0].conv, -3.2, 2.2)
    centre(head.conv_logits, 1.0)
    # spikes 1, 0 give currents -1.0 and 2.2. Potentials 0 and 1.1 (a spike), or -0.5 and 0.85
    logits = head(torch.tensor([4.0, 0.0]).view(2, 1, 1, 1, 1).expand(2, 1, 1, 3, 3))
    assert logits.eq(expected).all()


@torch.no_grad()
def test_masks_may_be_upsampled_as_membranes():
    x, ratio = tensor(2, 3, 4, 7, 7), dict(type='nearest', scale_factor=2)
    heads = [
        strengthen(SpikeFCNMaskHead(1, in_channels=4, conv_out_channels=4, num_classes=2, upsample_cfg=cfg))
        for cfg in (ratio, dict(type=None))]
    upsampled, plain = (head(x) for head in heads)
    assert plain.unique().numel() > 3
    assert torch.equal(upsampled, plain.repeat_interleave(2, -1).repeat_interleave(2, -2))


def test_another_upsampling_is_refused():
    with pytest.raises(ValueError, match=r"upsample_cfg must be of type 'deconv', .*but got 'carafe'"):
        SpikeFCNMaskHead(upsample_cfg=dict(type='carafe', scale_factor=2))
