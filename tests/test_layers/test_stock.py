"""Stock layers of mmcv with neurons beside them."""

import pytest
import torch
from mmcv.cnn import ConvModule
from torch import nn

from spikemm.layers import build_neurons, drop_activations, fire_through
from spikemm.neurons import PLIF


def test_every_layer_has_a_neuron_of_its_own():
    neurons = build_neurons(dict(type='PLIF', init_tau=3.0), [nn.Identity()] * 3)
    assert len({id(node.w) for node in neurons}) == 3 and all(isinstance(node, PLIF) for node in neurons)


def test_each_layer_stands_behind_its_neuron():
    layers = [nn.Linear(1, 1), nn.Linear(1, 1)]
    for layer, (weight, bias) in zip(layers, [(4.0, -0.5), (3.0, 0.25)], strict=True):
        layer.weight.data.fill_(weight)
        layer.bias.data.fill_(bias)
    x = torch.tensor([1.5, 1.5, 1.5]).view(3, 1, 1)
    # potentials 0.75, 1.125, 0.75: spikes 0, 1, 0; currents -0.5, 3.5, -0.5; potentials -0.25, 1.625, -0.25
    out = fire_through(layers, build_neurons(dict(type='LIF'), layers), x)
    assert out.flatten().tolist() == [0.25, 3.25, 0.25]


def test_without_layers_the_potential_passes():
    x = torch.randn(2, 1, 3)
    assert fire_through([], [], x) is x


def test_every_layer_must_have_a_neuron():
    with pytest.raises(ValueError, match='shorter'):
        fire_through([nn.Identity()], [], torch.zeros(2, 1, 3))


def test_without_its_activation_a_layer_hands_on_what_the_convolution_and_norm_give():
    x = torch.randn(2, 3, 5, 5, generator=torch.Generator().manual_seed(0))
    layers = [ConvModule(3, 4, 3, norm_cfg=norm).eval() for norm in (None, dict(type='BN'))]
    assert all(layer(x).min() == 0 for layer in layers)  # a ReLU
    drop_activations(layers)
    plain, normed = layers
    assert plain(x).min() < 0 and torch.equal(plain(x), plain.conv(x))
    assert normed(x).min() < 0 and torch.equal(normed(x), normed.norm(normed.conv(x)))


def test_layers_without_an_activation_stay_as_they_are():
    layers = [ConvModule(3, 4, 3, act_cfg=None), nn.Conv2d(3, 4, 3), nn.ReLU()]
    drop_activations(layers)
    drop_activations(layers)
    assert layers[2](torch.tensor([-1.0])).item() == 0 and not layers[0].with_activation
