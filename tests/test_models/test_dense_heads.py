"""RPN, RetinaNet's and YOLOX's head on spikes: by hand, as an explicit loop, and against the reference code."""

import pytest
import torch
import torch.nn.functional as F
from mmcv.cnn import ConvModule
from small_nets import assert_reference, centre, firing, load_published, strengthen, tensor
from torch import Tensor, nn

from spikemm.models import SpikeRetinaHead, SpikeRPNHead, SpikeYOLOXHead

NEURONS = {'sdt_v2_det_lif_T2': dict(type='LIF'), 'sdt_v2_det_int_T1': dict(type='Integer')}


@pytest.mark.parametrize('name', NEURONS)
@torch.no_grad()
def test_proposals_are_those_of_the_reference(golden, name):
    expected, meta = golden(name)
    head = load_published(SpikeRPNHead(**meta['rpn_head'], neuron=NEURONS[name]), expected, 'rpn_head.')
    maps = [expected[f'output.fpn{i}'] for i in range(5)]
    firing(head, lambda: head(maps))
    per_step = [[expected[f'output.rpn_{kind}{i}'] for i in range(5)] for kind in ('cls', 'reg')]
    assert_reference(head(maps), [[x.mean(0) for x in levels] for levels in per_step])


@torch.no_grad()
def test_two_steps_of_a_weak_input_by_hand():
    head = SpikeRPNHead(in_channels=1, feat_channels=1)
    centre(head.rpn_conv, 4.0)
    centre(head.rpn_cls, 3.0, 1.0)
    centre(head.rpn_reg, -6.0, 2.0)
    # potentials 0.75 and 1.125: a spike at the second step; it gives 4 / 2 >= 1, again a spike
    scores, deltas = head.forward_single(torch.full((2, 1, 1, 2, 2), 1.5))
    assert scores.eq((1.0 + 4.0) / 2).all() and deltas.eq((2.0 - 4.0) / 2).all()
    scores, deltas = head.forward_single(torch.full((1, 1, 1, 2, 2), 1.5))
    assert scores.eq(1.0).all() and deltas.eq(2.0).all()


# ---- an explicit loop over time, computed from the weights of a head ----


def spikes_of(x: Tensor) -> Tensor:
    """LIF with tau 2, threshold 1 and hard reset; ``[T, ...]``."""
    v, spikes = torch.zeros_like(x[0]), []
    for step in x:
        h = (v + step) / 2
        spikes.append((h >= 1).to(x))
        v = h * (h < 1)
    return torch.stack(spikes)


def convolve(layer: nn.Module, x: Tensor) -> Tensor:
    """A convolution and, if it has one, its norm in evaluation; step by step."""
    conv = layer.conv if isinstance(layer, ConvModule) else layer
    outs = [F.conv2d(step, conv.weight, conv.bias, padding=conv.kernel_size[0] // 2) for step in x]
    if isinstance(layer, ConvModule) and layer.with_norm:
        n = layer.norm
        outs = [F.batch_norm(out, n.running_mean, n.running_var, n.weight, n.bias, eps=n.eps) for out in outs]
    return torch.stack(outs)


def branch(layers: list[nn.Module], x: Tensor) -> Tensor:
    for layer in layers:
        x = convolve(layer, spikes_of(x))
    return x.mean(0)


def rpn(head: SpikeRPNHead, maps: list[Tensor]) -> list[list[Tensor]]:
    return [[branch([*head.rpn_conv, last], x) for x in maps] for last in (head.rpn_cls, head.rpn_reg)]


def retina(head: SpikeRetinaHead, maps: list[Tensor]) -> list[list[Tensor]]:
    branches = ([*head.cls_convs, head.retina_cls], [*head.reg_convs, head.retina_reg])
    return [[branch(layers, x) for x in maps] for layers in branches]


def yolox(head: SpikeYOLOXHead, maps: list[Tensor]) -> list[list[Tensor]]:
    branches = (
        (head.multi_level_cls_convs, head.multi_level_conv_cls),
        (head.multi_level_reg_convs, head.multi_level_conv_reg),
        (head.multi_level_reg_convs, head.multi_level_conv_obj))
    return [[branch([*convs[i], last[i]], x) for i, x in enumerate(maps)] for convs, last in branches]


NORM = dict(type='BN')
LOOPS = {
    'rpn': (SpikeRPNHead, dict(in_channels=4, feat_channels=6, num_convs=2), rpn),
    'retina': (SpikeRetinaHead, dict(num_classes=2, in_channels=4, feat_channels=6, stacked_convs=2), retina),
    'retina, norm': (SpikeRetinaHead, dict(num_classes=2, in_channels=4, stacked_convs=1, norm_cfg=NORM), retina),
    'yolox': (SpikeYOLOXHead, dict(num_classes=2, in_channels=4, feat_channels=6, stacked_convs=2), yolox),
}


@pytest.mark.parametrize('name', LOOPS)
@torch.no_grad()
def test_outputs_are_those_of_an_explicit_loop(name):
    cls, options, loop = LOOPS[name]
    head = strengthen(cls(**options)).double().eval()
    for i, norm in enumerate(m for m in head.modules() if isinstance(m, nn.BatchNorm2d)):
        norm.running_mean.copy_(tensor(norm.num_features, 1, 1, seed=i).flatten())
        norm.running_var.copy_(tensor(norm.num_features, 1, 1, seed=i).flatten().abs() + 0.5)
    maps = [tensor(3, 2, 4, size, 5, seed=size).double() for size in (7, 4, 2)]
    firing(head, lambda: head(maps))
    expected = [[x.float() for x in levels] for levels in loop(head, maps)]
    assert_reference(head(maps), expected)


# ---- bad options ----


@pytest.mark.parametrize('cls', [SpikeRetinaHead, SpikeYOLOXHead])
def test_a_head_without_convolutions_is_refused(cls):
    with pytest.raises(ValueError, match='stacked_convs must be 1 or more, but got 0'):
        cls(num_classes=2, in_channels=4, stacked_convs=0)


def test_a_yolox_head_refuses_pairs_without_a_neuron_within():
    with pytest.raises(ValueError, match='use_depthwise must be False'):
        SpikeYOLOXHead(num_classes=2, in_channels=4, use_depthwise=True)


@pytest.mark.parametrize('cls', [SpikeRPNHead, SpikeRetinaHead, SpikeYOLOXHead])
def test_an_unknown_neuron_is_refused(cls):
    options = dict(in_channels=4) if cls is SpikeRPNHead else dict(num_classes=2, in_channels=4)
    with pytest.raises(ValueError, match=r"neuron type must be one of .*but got 'ReLU'"):
        cls(**options, neuron=dict(type='ReLU'))
