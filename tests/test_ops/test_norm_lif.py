import copy

import pytest
import torch
from torch import nn

from spikemm.layers.fire import norm_fire
from spikemm.neurons import build_neuron
from spikemm.ops.norm_lif import can_fuse


def current(T=3, B=2, C=20, size=9):
    torch.manual_seed(0)
    x = torch.randn(T * B, C, size, size).contiguous(memory_format=torch.channels_last)
    return x.unflatten(0, (T, B))


def norm(channels=20):
    bn = nn.BatchNorm2d(channels)
    nn.init.uniform_(bn.weight, 0.5, 3.0)
    nn.init.normal_(bn.bias, 0.5)
    return bn


@pytest.mark.parametrize('T', [1, 4])
@pytest.mark.parametrize(
    'kwargs',
    [{}, {'tau': 3.0}, {'decay_input': False}, {'v_reset': None, 'detach_reset': False}, {'v_reset': -0.2}],
    ids=str,
)
def test_in_one_equals_one_after_the_other(T, kwargs):
    neuron, bn, x = build_neuron({'type': 'LIF', **kwargs}), norm(), current(T)
    apart, y = copy.deepcopy(bn), x.clone(memory_format=torch.preserve_format)
    assert can_fuse(x, bn, neuron.surrogate_function)
    spikes = norm_fire(bn, neuron, x.requires_grad_())
    expected = neuron(apart(y.requires_grad_().flatten(0, 1)).unflatten(0, y.shape[:2]))
    assert 0.05 < spikes.mean() < 0.95
    assert torch.equal(spikes, expected)
    grad = torch.randn_like(x)
    spikes.backward(grad)
    expected.backward(grad)
    torch.testing.assert_close(x.grad, y.grad, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(bn.weight.grad, apart.weight.grad, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(bn.bias.grad, apart.bias.grad, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(bn.state_dict(), apart.state_dict())


def test_a_watched_neuron_is_called_as_a_module():
    neuron, bn, seen = build_neuron({'type': 'LIF'}), norm(), []
    neuron.register_forward_hook(lambda module, args, out: seen.append(out))
    spikes = norm_fire(bn, neuron, current().requires_grad_())
    assert spikes.any()
    assert seen[0] is spikes


def test_evaluation_does_not_touch_the_norm():
    neuron, bn = build_neuron({'type': 'LIF'}), norm().eval()
    before = copy.deepcopy(bn.state_dict())
    assert norm_fire(bn, neuron, current().requires_grad_()).any()
    torch.testing.assert_close(bn.state_dict(), before, rtol=0, atol=0)
