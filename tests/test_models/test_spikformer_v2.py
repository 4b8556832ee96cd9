"""Spikformer V2: sizes, the stem, what its layers read, and layer-wise decay."""

import re

import pytest
import torch
from mmpretrain.engine.optimizers import LearningRateDecayOptimWrapperConstructor
from mmpretrain.models.classifiers import ImageClassifier
from small_nets import firing, inputs_of_weight_layers, strengthen, tensor
from torch import nn

from spikemm.models.backbones import SpikformerV2
from spikemm.models.backbones.spikformer_v2 import PatchEmbed


def build(**options) -> SpikformerV2:
    torch.manual_seed(0)
    return strengthen(SpikformerV2('nano', **options)).eval()


@pytest.mark.parametrize('arch, millions, tolerance', [
    ('8-384', 29.11, 0.005), ('8-512', 51.55, 0.005), ('16-768', 172.70, 0.003 * 172.70)])
def test_parameters_are_those_of_the_paper(arch, millions, tolerance):
    with torch.device('meta'):
        net = ImageClassifier(
            backbone=dict(type='spikemm.SpikformerV2', arch=arch),
            head=dict(type='spikemm.SpikeLinearClsHead', num_classes=1000, in_channels=int(arch.split('-')[1])))
    assert sum(p.numel() for p in net.parameters()) / 1e6 == pytest.approx(millions, abs=tolerance)


def test_every_weight_layer_but_the_first_reads_spikes():
    net, x = build(T=2), tensor(1, 3, 32, 32)
    firing(net, lambda: net(x))
    seen = inputs_of_weight_layers(net, lambda: net(x))
    first = seen.pop('stages.0.0.conv.conv')
    assert len(first) > 2
    # the projection reads what the neuron behind the attention fires, all others the neurons in front of them
    assert {name: values for name, values in seen.items() if not set(values) <= {0.0, 1.0}} == {}


def test_patches_are_completed_by_zeros():
    embed = PatchEmbed(1, 1, 2).eval()
    embed.conv.conv.weight.data.fill_(1.0)
    out = embed(torch.ones(1, 1, 1, 3, 3))
    expected = torch.tensor([[4.0, 2.0], [2.0, 1.0]]) / (1 + 1e-5) ** 0.5
    torch.testing.assert_close(out[0, 0, 0], expected)


def test_a_patch_of_the_first_stage_is_seen_by_no_other_before_the_blocks():
    embed, x = PatchEmbed(3, 4, 2).eval(), tensor(1, 1, 3, 4, 4)
    before = embed(x)
    x[..., :2, :2] += 1
    changed = (embed(x) != before).any(2)[0, 0]
    assert changed.tolist() == [[True, False], [False, False]]


def test_branches_start_with_the_given_weight():
    net = SpikformerV2('nano', residual_init=0.25)
    mixing, attention = net.stages[1][1].branch, net.stages[3][2][0].branch
    assert mixing.fc2.bn.weight.unique().tolist() == attention.proj.bn.weight.unique().tolist() == [0.25]
    assert mixing.fc1.bn.weight.unique().tolist() == [1.0]


def test_blocks_are_dropped_more_often_the_deeper_they_are():
    net = SpikformerV2(dict(preset='nano', depth=3), drop_path_rate=0.2)
    assert [block[0].drop_path for block in net.stages[3][2:]] == [0.0, 0.1, 0.2]


@pytest.mark.parametrize('name, depth', [
    ('backbone.stages.0.0.conv.conv.weight', 0), ('backbone.stages.3.0.conv.bn.bias', 0),
    ('backbone.stages.3.1.branch.fc1.conv.weight', 0), ('backbone.stages.3.2.0.branch.q.conv.weight', 1),
    ('backbone.stages.3.3.1.branch.fc2.bn.bias', 2), ('head.fc.weight', 3)])
def test_layers_have_depths_for_the_decay_of_the_learning_rate(name, depth):
    assert SpikformerV2('nano').get_layer_depth(name, 'backbone.') == (depth, 4)


def test_deeper_layers_learn_faster_by_layer_decay():
    net = ImageClassifier(
        backbone=dict(type='spikemm.SpikformerV2', arch='nano'),
        head=dict(type='spikemm.SpikeLinearClsHead', num_classes=10, in_channels=96))
    build = LearningRateDecayOptimWrapperConstructor(
        dict(optimizer=dict(type='AdamW', lr=8.0, weight_decay=0.1)), dict(layer_decay_rate=0.5, flat_decay_mult=0.0))
    groups = build(net).optimizer.param_groups
    rates = {group['param_name']: group['lr'] for group in groups}
    assert set(rates) == {name for name, _ in net.named_parameters()}
    expected = {r'backbone\.stages\.([0-2]|3\.[01])\.': 1.0, r'backbone\.stages\.3\.2': 2.0,
                r'backbone\.stages\.3\.3': 4.0, r'head\.': 8.0}
    for pattern, rate in expected.items():
        assert {lr for name, lr in rates.items() if re.match(pattern, name)} == {rate}
    assert {(p.ndim > 1, group['weight_decay']) for group in groups for p in group['params']} == {
        (True, 0.1), (False, 0.0)}


@pytest.mark.parametrize('options, message', [
    (dict(arch=dict(preset='nano', embed_dims=60)), 'embed_dims must be divisible by 8'),
    (dict(arch=dict(preset='nano', strides=(2, 2))), 'strides must be 4'),
    (dict(arch=dict(preset='nano', strides=(4, 2, 2, 1))), 'strides must be 4 numbers, each 1 or 2'),
    (dict(arch=dict(preset='nano', depth=0)), 'depth must be a positive number'),
    (dict(arch='8-768'), "arch must be one of .*but got '8-768'"),
    (dict(drop_path_rate=1.0), 'drop_path_rate must be in'),
])
def test_bad_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        SpikformerV2(**{'arch': 'nano', **options})


def test_norms_see_every_time_step():
    net = SpikformerV2('nano', T=2).train()
    seen = []
    norm = net.stages[1][0].conv.bn
    norm.register_forward_hook(lambda module, args, out: seen.append(args[0].shape[0]))
    net(tensor(3, 3, 32, 32))
    assert seen == [6] and isinstance(norm, nn.BatchNorm2d)
