"""An ANN as a spiking network: its rates come to the ANN's activations, and it is a function of its input."""

from copy import deepcopy

import pytest
import torch
from mmengine.registry import DefaultScope
from spikingjelly.activation_based.neuron import BaseNode
from torch.nn.modules.batchnorm import _BatchNorm

from spikemm.models.backbones.converted import ConvertedANN, CountMaxPool, convert_ann
from spikemm.registry import MODELS

RESNET = dict(type='ResNet_CIFAR', depth=18, stem_channels=8, base_channels=8, strides=(2, 2, 2, 2))
POOLED = dict(type='ResNet', depth=18, stem_channels=8, base_channels=8)
VGG = dict(type='VGG', depth=11, num_stages=2, dilations=(1, 1), out_indices=(1, ), norm_cfg=dict(type='BN'))


@pytest.fixture(autouse=True)
def scope():
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        yield


@pytest.fixture(scope='module')
def x():
    return torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def trained(x):
    """An ANN whose norms have seen data, and the network made of it."""

    def build(cfg, **kwargs):
        ann = MODELS.build(cfg)
        ann.train()
        with torch.no_grad():
            for _ in range(20):
                ann(x)
        ann.eval()
        net = ConvertedANN(cfg, **kwargs)
        net.net.load_state_dict(convert_ann(ann, [x], mode='max').state_dict())
        return ann, net.eval()

    return build


def spikes_of(net, x):
    """Output of every neuron."""
    found = []
    for module in net.modules():
        if isinstance(module, BaseNode):
            module.register_forward_hook(lambda module, args, out: found.append(out.detach()))
    net(x)
    return found


@torch.no_grad()
def error(ann, net, x, T):
    net.T = T
    expected, = ann(x)
    return ((net(x)[0] - expected).norm() / expected.norm()).item()


@pytest.mark.parametrize('cfg', [RESNET, POOLED, VGG], ids=['resnet', 'with max pooling', 'vgg'])
def test_the_error_falls_as_one_over_the_number_of_steps(trained, x, cfg):
    ann, net = trained(cfg, T=1)
    errors = [error(ann, net, x, T) for T in (32, 128, 512)]
    assert errors[0] > 2 * errors[1] > 4 * errors[2]
    assert errors[2] < 0.05


def test_every_use_of_a_relu_has_a_neuron_of_its_own_and_all_fire_zeros_and_ones(trained, x):
    _, net = trained(RESNET, T=64)
    spikes = spikes_of(net, x)
    assert len(spikes) == 1 + 2 * 8, 'the stem, and two of each block, which has one ReLU module'
    assert all(s.sum() > 0 for s in spikes)
    assert all(((s == 0) | (s == 1)).all() for s in spikes)


def test_neurons_behind_an_analog_current_follow_the_rule_of_soft_reset(x):
    net = convert_ann(torch.nn.Sequential(torch.nn.Identity(), torch.nn.ReLU()))
    current = torch.tensor([0.0, -1.0, 0.3, 0.5, 2.0]).view(1, 1, 5, 1, 1)
    rates = net(current, 10).mean(0).flatten()
    torch.testing.assert_close(rates, torch.tensor([0.0, 0.0, 0.3, 0.5, 1.0]))  # never above the scale


def test_a_call_leaves_nothing_behind(trained, x):
    _, net = trained(RESNET, T=32)
    first, = net(x)
    assert first.abs().sum() > 0
    net(torch.randn(2, 3, 40, 40))
    assert torch.equal(net(x)[0], first)


def test_an_image_is_a_constant_sequence(trained, x):
    _, net = trained(POOLED, T=16, time_reduction=None)
    image, = net(x)
    sequence, = net(x.expand(16, *x.shape))
    assert image.abs().sum() > 0
    torch.testing.assert_close(image, sequence)


def test_what_comes_before_the_first_neuron_is_computed_once(trained, x):
    _, net = trained(RESNET, T=16)
    seen = []
    net.net.conv1.register_forward_hook(lambda module, args, out: seen.append(args[0].shape[0]))
    net(x)
    assert seen == [1]


def test_norms_are_folded_synchronised_ones_too():
    net = ConvertedANN({**RESNET, 'norm_cfg': dict(type='SyncBN')}, T=1)
    assert not any(isinstance(m, _BatchNorm) for m in net.modules())


def test_pooling_of_spikes_gives_spikes_whose_count_is_the_largest_of_a_window():
    spikes = (torch.rand(20, 2, 3, 8, 8) < torch.rand(8, 8)).float()
    pool = torch.nn.MaxPool2d(2)
    pooled = CountMaxPool(pool)(spikes)
    assert ((pooled == 0) | (pooled == 1)).all()
    torch.testing.assert_close(pooled.sum(0), pool(spikes.sum(0)))
    assert (pool(spikes.flatten(0, 1)).unflatten(0, (20, 2)).sum(0) > pooled.sum(0)).any(), 'maxima of each step'


def test_outputs_and_their_strides_are_those_of_the_ann(x):
    net = ConvertedANN({**RESNET, 'out_indices': (0, 1, 3)}, T=2)
    assert (net.out_channels, net.strides) == ([8, 16, 64], [2, 4, 16])
    assert [tuple(out.shape) for out in net(x)] == [(4, 8, 8, 8), (4, 16, 4, 4), (4, 64, 1, 1)]


def test_all_weights_learn(trained, x):
    _, net = trained(RESNET, T=8)
    sum(out.square().mean() for out in net.train()(x)).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())
    assert net.net.conv1.weight.grad.abs().sum() > 0


def test_a_model_on_the_meta_device_has_the_same_state():
    with torch.device('meta'):
        net = ConvertedANN(RESNET, T=1)
    assert {p.device.type for p in net.parameters()} == {'meta'}
    assert list(net.state_dict()) == list(ConvertedANN(RESNET, T=1).state_dict())


def test_the_ann_is_left_as_it_was(x):
    ann = MODELS.build(RESNET)
    before = deepcopy(ann.state_dict())
    convert_ann(ann, [x])
    assert ann.training and all(torch.equal(before[key], value) for key, value in ann.state_dict().items())


@pytest.mark.parametrize('ann, message', [
    (dict(type='VisionTransformer', arch='deit-tiny'), 'must have torch.nn.ReLU modules, but VisionTransformer'),
    (dict(type='SEResNet', depth=50), 'se_layer.conv2.activate.*Sigmoid'),
    ({**VGG, 'act_cfg': dict(type='GELU')}, 'must have torch.nn.ReLU modules'),
])
def test_what_cannot_be_converted_is_named(ann, message):
    with pytest.raises(ValueError, match=message):
        ConvertedANN(ann, T=4)


def test_a_relu_that_was_silent_in_calibration_is_refused():
    ann = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 1), torch.nn.ReLU())
    torch.nn.init.constant_(ann[0].bias, -9.0)
    with pytest.raises(ValueError, match='finite positive number, got 0'):
        convert_ann(ann, [torch.zeros(1, 3, 8, 8)])


@pytest.mark.parametrize('kwargs, message', [
    (dict(T=0), 'T must be a positive number of time steps, but got 0'),
    (dict(T=2, time_reduction='sum'), "time_reduction must be None or 'mean'"),
])
def test_bad_arguments_are_refused(kwargs, message):
    with pytest.raises(ValueError, match=message):
        ConvertedANN(RESNET, **kwargs)


def test_an_image_of_other_channels_is_refused():
    with pytest.raises(ValueError, match='x must have 3 channels, but got 2'):
        ConvertedANN(RESNET, T=1)(torch.zeros(1, 2, 32, 32))
