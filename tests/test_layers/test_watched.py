"""Layers may take short cuts in training; what a hook sees on the long way must be the same."""

import copy

import pytest
import torch
from test_rep_conv import random_
from torch import Tensor, nn

from spikemm.layers import SDSA, SepConv, SpikingMLP

LAYERS = {
    'mlp': lambda neuron: SpikingMLP(12, neuron),
    'conv mlp': lambda neuron: SpikingMLP(12, neuron, kernel_size=3, bias=False),
    'sep conv': lambda neuron: SepConv(12, neuron),
    'sdsa1': lambda neuron: SDSA(12, 3, neuron, version=1),
    'sdsa3': lambda neuron: SDSA(12, 3, neuron),
}
NEURONS = {
    'default': dict(type='LIF'),
    'soft attached': dict(type='LIF', v_reset=None, detach_reset=False, surrogate=dict(type='ATan')),
    'slow': dict(type='LIF', tau=3.0, v_reset=-0.2, decay_input=False),
    'no kernel': dict(type='LIF', surrogate=dict(type='PiecewiseQuadratic')),
    'plif': dict(type='PLIF'),
}


def train_step(layer: nn.Module, x: Tensor, memory_format: torch.memory_format) -> dict[str, Tensor]:
    x = x.flatten(0, 1).contiguous(memory_format=memory_format).unflatten(0, x.shape[:2]).requires_grad_()
    out = layer(x)
    (out * torch.linspace(-1, 1, out.numel()).reshape(out.shape).sin()).sum().backward()
    results = {f'grad {name}': p.grad for name, p in layer.named_parameters()}
    return dict(out=out.detach(), x=x.grad) | results | layer.state_dict()


@pytest.mark.parametrize('T', [1, 3])
@pytest.mark.parametrize('name', LAYERS)
@pytest.mark.parametrize('neuron', NEURONS)
def test_a_watched_layer_trains_as_an_unwatched_one(name, neuron, T):
    layer = random_(LAYERS[name](NEURONS[neuron])).train()
    x = torch.rand(T, 2, 12, 9, 8, generator=torch.Generator().manual_seed(0)).gt(0.6).float()
    watched, rates = copy.deepcopy(layer), []
    for module in watched.modules():
        if hasattr(module, 'surrogate_function'):
            module.register_forward_hook(lambda module, args, out: rates.append(out.mean().item()))
    expected = train_step(watched, x, torch.contiguous_format)
    assert len(rates) >= 1 and min(rates) > 0.01, 'silent neurons, the comparison below would prove nothing'
    for memory_format in (torch.contiguous_format, torch.channels_last):
        results = train_step(copy.deepcopy(layer), x, memory_format)
        for key, value in expected.items():
            bound = 1e-3 * value.float().norm() + 1e-3
            assert (results[key] - value).float().norm() <= bound, (key, memory_format)


@pytest.mark.parametrize('memory_format', [torch.contiguous_format, torch.channels_last], ids=str)
def test_a_hook_on_a_neuron_sees_its_spikes_in_training(memory_format):
    layer, seen = random_(SpikingMLP(12, dict(type='LIF'))).train(), []
    layer.neuron.register_forward_hook(lambda module, args, out: seen.append(out))
    x = torch.rand(4, 12, 4, 4, generator=torch.Generator().manual_seed(0)).contiguous(memory_format=memory_format)
    layer(x.unflatten(0, (2, 2)))
    assert len(seen) == 1 and seen[0].shape == (2, 2, 48, 4, 4) and seen[0].unique().tolist() == [0, 1]
