"""What every spiking neck and head keeps; what one of them computes stands in its own file."""

import copy
import pickle
from typing import NamedTuple

import pytest
import torch
from mmdet.models.dense_heads import RetinaHead, RPNHead, YOLOXHead
from mmdet.models.necks import FPN
from mmdet.models.roi_heads.bbox_heads import Shared2FCBBoxHead
from mmdet.models.roi_heads.mask_heads import FCNMaskHead
from mmseg.models.decode_heads import FPNHead
from small_nets import WEIGHT_LAYERS, firing, flat, inputs_of_weight_layers, loss, strengthen, tensor
from torch import Tensor, nn

from spikemm.models import (
    SpikeFCNMaskHead,
    SpikeFPN,
    SpikeFPNHead,
    SpikeRetinaHead,
    SpikeRPNHead,
    SpikeShared2FCBBoxHead,
    SpikeYOLOXHead,
)

SIZES = [(9, 12), (5, 6), (3, 3), (3, 3), (2, 2)]  # of a 33 x 47 image at strides 4, 8, 16, 16, and pooled


class Case(NamedTuple):
    """A class of ours, the stock class, the arguments of both, and the shapes of one time step of one sample."""

    ours: type
    stock: type
    options: dict
    inputs: list[tuple[int, int, int]]
    outputs: list[tuple[int, ...]]
    own: dict = {}  # arguments of ours only
    time_passes: bool = False


def levels(channels: list[int] | int, sizes: list[tuple[int, int]] = SIZES) -> list[tuple[int, int, int]]:
    channels = [channels] * len(sizes) if isinstance(channels, int) else channels
    return [(c, *size) for c, size in zip(channels, sizes, strict=True)]


WIDTHS = [4, 6, 8, 8]
MAPS, ROI = levels(WIDTHS, SIZES[:4]), [(8, 7, 7)]
FPN_OPTIONS = dict(in_channels=WIDTHS, out_channels=8)
EXTRA = dict(FPN_OPTIONS, start_level=1, num_outs=5, norm_cfg=dict(type='BN'))
RPN = dict(in_channels=8, feat_channels=8)
RETINA = dict(num_classes=2, in_channels=8, feat_channels=8, stacked_convs=2)
YOLOX = dict(num_classes=2, in_channels=8, feat_channels=8)
BBOX = dict(in_channels=8, fc_out_channels=16, num_classes=3)
MASK = dict(in_channels=8, conv_out_channels=8, num_convs=2, num_classes=3)
SEG = dict(
    feature_strides=[4, 8, 16, 32], in_channels=[8] * 4, in_index=[0, 1, 2, 3], channels=8, num_classes=5,
    norm_cfg=dict(type='BN'), align_corners=False)
FPN_OUTS, EXTRA_OUTS = levels(8), levels(8, [*SIZES[1:4], (2, 2), (1, 1)])
BOXES = [(4,), (12,)]

# One row a class and option that changes the forward; a new class adds one.
CASES = {
    'fpn': Case(SpikeFPN, FPN, dict(FPN_OPTIONS, num_outs=5), MAPS, FPN_OUTS, time_passes=True),
    'fpn, mean': Case(
        SpikeFPN, FPN, dict(FPN_OPTIONS, num_outs=5), MAPS, FPN_OUTS, own=dict(time_reduction='mean')),
    'fpn, on input': Case(
        SpikeFPN, FPN, dict(EXTRA, add_extra_convs='on_input'), MAPS, EXTRA_OUTS, time_passes=True),
    'fpn, on lateral': Case(
        SpikeFPN, FPN, dict(EXTRA, add_extra_convs='on_lateral'), MAPS, EXTRA_OUTS, time_passes=True),
    'fpn, on output': Case(
        SpikeFPN, FPN, dict(EXTRA, add_extra_convs='on_output'), MAPS, EXTRA_OUTS, time_passes=True),
    'rpn': Case(SpikeRPNHead, RPNHead, RPN, levels(8), [*levels(9), *levels(36)]),
    'rpn, 2 convs': Case(SpikeRPNHead, RPNHead, dict(RPN, num_convs=2), levels(8), [*levels(9), *levels(36)]),
    'retina': Case(SpikeRetinaHead, RetinaHead, RETINA, levels(8), [*levels(18), *levels(36)]),
    'retina, norm': Case(
        SpikeRetinaHead, RetinaHead, dict(RETINA, norm_cfg=dict(type='BN')), levels(8), [*levels(18), *levels(36)]),
    'yolox': Case(
        SpikeYOLOXHead, YOLOXHead, YOLOX, levels(8, SIZES[:3]),
        [*levels(2, SIZES[:3]), *levels(4, SIZES[:3]), *levels(1, SIZES[:3])]),
    'bbox': Case(SpikeShared2FCBBoxHead, Shared2FCBBoxHead, BBOX, ROI, BOXES),
    'bbox, fires': Case(
        SpikeShared2FCBBoxHead, Shared2FCBBoxHead, BBOX, ROI, BOXES, own=dict(fire_before_output=True)),
    'bbox, pooled': Case(SpikeShared2FCBBoxHead, Shared2FCBBoxHead, dict(BBOX, with_avg_pool=True), ROI, BOXES),
    'mask': Case(SpikeFCNMaskHead, FCNMaskHead, MASK, ROI, [(3, 14, 14)]),
    'mask, no relu': Case(SpikeFCNMaskHead, FCNMaskHead, MASK, ROI, [(3, 14, 14)], own=dict(relu=False)),
    'mask, bilinear': Case(
        SpikeFCNMaskHead, FCNMaskHead, dict(MASK, upsample_cfg=dict(type='bilinear', scale_factor=2)), ROI,
        [(3, 14, 14)]),
    'mask, norm': Case(
        SpikeFCNMaskHead, FCNMaskHead, dict(MASK, norm_cfg=dict(type='BN'), upsample_cfg=dict(type=None)), ROI,
        [(3, 7, 7)]),
    'seg': Case(SpikeFPNHead, FPNHead, SEG, levels(8, SIZES[:4]), [(5, 9, 12)]),
}
every_case = pytest.mark.parametrize('name', CASES)
heads = pytest.mark.parametrize('name', [name for name in CASES if not name.startswith(('fpn', 'seg'))])
READS_MEMBRANES = {'bbox': {'fc_cls', 'fc_reg'}, 'bbox, pooled': {'fc_cls', 'fc_reg'}}


def build(name: str, **kwargs) -> nn.Module:
    case = CASES[name]
    return strengthen(case.ours(**copy.deepcopy(case.options), **case.own, **kwargs)).train()


def inputs(name: str, *leading: int) -> list[Tensor]:
    return [tensor(*leading, *shape, seed=i) for i, shape in enumerate(CASES[name].inputs)]


def run(net: nn.Module, x: list[Tensor]) -> list[Tensor]:
    """RoI heads take a tensor, all others the maps of the levels."""
    return flat(net(x[0] if isinstance(net, (SpikeShared2FCBBoxHead, SpikeFCNMaskHead)) else x))


def assert_equal(ours: list[Tensor], theirs: list[Tensor], **tolerance) -> None:
    assert all(x.unique().numel() > 1 for x in theirs), 'constant outputs, the comparison would prove nothing'
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, **(tolerance or dict(rtol=0, atol=0)))


@every_case
@pytest.mark.parametrize('leading', [(1, 2), (2, 2), (2,)], ids=['T=1', 'T=2', 'no time'])
def test_shapes(name, leading):
    case = CASES[name]
    lead = ((1, 2) if len(leading) == 1 else leading) if case.time_passes else (2,)
    outs = run(build(name), inputs(name, *leading))
    assert [tuple(x.shape) for x in outs] == [(*lead, *shape) for shape in case.outputs]


@every_case
@pytest.mark.parametrize('T', [1, 2])
def test_every_parameter_and_input_has_a_gradient(name, T):
    net, x = build(name), [x.requires_grad_() for x in inputs(name, T, 2)]
    outs = []
    firing(net, lambda: outs.extend(run(net, x)))
    loss(outs).backward()
    unused = getattr(net, 'start_level', 0)
    for i, level in enumerate(x[unused:]):
        assert all(step.abs().sum() > 0 for step in level.grad), f'input {i}'
    for key, p in net.named_parameters():
        assert p.grad is not None and torch.isfinite(p.grad).all() and p.grad.abs().sum() > 0, key


@every_case
@torch.no_grad()
def test_a_second_call_sees_no_state_of_the_first(name):
    net, x = build(name).eval(), inputs(name, 2, 2)
    first = run(net, x)
    run(net, [level.flip(0)[:, :1] * 3 for level in x])
    assert_equal(run(net, x), first)


@every_case
@torch.no_grad()
def test_a_sample_does_not_see_its_batch(name):
    net, x = build(name).double().eval(), [level.double() for level in inputs(name, 2, 2)]
    firing(net, lambda: run(net, x))
    both, alone = run(net, x), run(net, [level[:, :1] for level in x])
    first = [out[:, :1] if CASES[name].time_passes else out[:1] for out in both]
    assert_equal(alone, first, rtol=1e-6, atol=1e-6)


@every_case
@torch.no_grad()
def test_maps_without_time_are_one_step(name):
    net, x = build(name).eval(), inputs(name, 2)
    assert_equal(run(net, x), run(net, [level[None] for level in x]))


@every_case
@torch.no_grad()
def test_time_integrates(name):
    net, x = build(name).eval(), [level.expand(2, *level.shape) for level in inputs(name, 2)]
    two, one = run(net, x), run(net, [level[:1] for level in x])
    if CASES[name].time_passes:
        assert_equal([out[:1] for out in two], one)  # the second step comes after the first
        two, one = [out[1] for out in two], [out[0] for out in one]
    assert not any(torch.allclose(a, b, atol=1e-3) for a, b in zip(two, one, strict=True))


@every_case
def test_weights_are_those_of_the_stock_class_and_start_as_they_do(name):
    case, states = CASES[name], []
    for cls, own in ((case.stock, {}), (case.ours, case.own)):
        torch.manual_seed(0)
        net = cls(**copy.deepcopy(case.options), **own)
        net.init_weights()
        states.append(net.state_dict())
    assert list(states[0]) == list(states[1]) and len(states[0]) > 3
    assert all(torch.equal(states[0][key], value) for key, value in states[1].items())


@every_case
@torch.no_grad()
def test_every_weight_layer_meets_spikes(name):
    net = build(name)
    seen = inputs_of_weight_layers(net, lambda: run(net, inputs(name, 2, 2)))
    assert set(seen) == {key for key, m in net.named_modules() if isinstance(m, WEIGHT_LAYERS)}
    membranes = READS_MEMBRANES.get(name, set())
    for key, values in seen.items():
        assert values == [0, 1] if key not in membranes else len(values) > 2, key


@every_case
def test_can_be_copied_and_pickled_after_a_training_step(name):
    net, x = build(name), inputs(name, 2, 2)
    loss(run(net, x)).backward()
    copies = copy.deepcopy(net), pickle.loads(pickle.dumps(net))
    for other in copies:
        assert_equal(run(other.eval(), x), run(net.eval(), x))


@every_case
def test_trains_under_autocast(name):
    net, x = build(name), [level.requires_grad_() for level in inputs(name, 2, 2)]
    outs = []
    with torch.autocast('cpu', torch.bfloat16):
        firing(net, lambda: outs.extend(run(net, x)))
    loss([out.float() for out in outs]).backward()
    assert all(torch.isfinite(p.grad).all() for p in (*x, *net.parameters()) if p.grad is not None)
    assert all(p.grad.abs().sum() > 0 for p in net.parameters())


@heads
@torch.no_grad()
def test_what_becomes_boxes_or_masks_is_float32_under_autocast(name):
    net, x = build(name), inputs(name, 2, 2)
    layers = []
    for m in net.modules():
        if isinstance(m, WEIGHT_LAYERS):
            m.register_forward_hook(lambda module, args, out: layers.append(out.dtype))
    with torch.autocast('cpu', torch.bfloat16):
        outs = run(net, x)
    assert set(layers) == {torch.bfloat16} and {out.dtype for out in outs} == {torch.float32}


@every_case
def test_a_neuron_may_learn(name):
    net = build(name, neuron=dict(type='PLIF', init_tau=1.5))
    outs, x = [], inputs(name, 2, 2)
    firing(net, lambda: outs.extend(run(net, x)))
    loss(outs).backward()
    constants = {key: p for key, p in net.named_parameters() if p.ndim == 0}
    assert len(constants) == sum(hasattr(m, 'surrogate_function') for m in net.modules())
    assert all(p.grad.abs() > 0 for p in constants.values())


@every_case
@torch.no_grad()
def test_a_neuron_may_send_integers(name):
    net = build(name, neuron=dict(type='Integer', levels=3))
    seen = inputs_of_weight_layers(net, lambda: firing(net, lambda: run(net, inputs(name, 1, 2))))
    for key, values in seen.items():
        if key not in READS_MEMBRANES.get(name, set()):
            assert set(values) <= {0, 1, 2, 3} and max(values) > 1, key


@every_case
def test_maps_without_a_batch_are_refused(name):
    with pytest.raises(ValueError, match=r'x must be \[B, C, H, W\] or \[T, B, C, H, W\], but got shape'):
        run(build(name), inputs(name))
