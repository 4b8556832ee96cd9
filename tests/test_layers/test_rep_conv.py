"""RepConv: what its padding is, and that evaluation is one dense convolution."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spikemm.layers import RepConvBN


def random_(layer: nn.Module, seed: int = 0) -> nn.Module:
    """Weights that make neurons fire, and norms that shift, scale and remember: no term of a formula is zero."""
    g = torch.Generator().manual_seed(seed)
    for module in layer.modules():
        if isinstance(module, nn.Conv2d):
            module.weight.data.normal_(0, 1.5 / module.weight[0].numel() ** 0.5, generator=g)
            if module.bias is not None:
                module.bias.data.uniform_(-0.5, 0.5, generator=g)
        elif isinstance(module, nn.BatchNorm2d):
            module.weight.data.uniform_(1.0, 3.0, generator=g)
            module.bias.data.uniform_(-0.5, 1.0, generator=g)
            module.running_mean.uniform_(-0.5, 0.5, generator=g)
            module.running_var.uniform_(0.5, 1.5, generator=g)
    return layer


def explicit(layer: RepConvBN, x: Tensor) -> Tensor:
    """The layer as the reference has it: pad by one pixel of what the first norm makes of zero."""
    x = layer.bn1(layer.conv(x.flatten(0, 1)))
    bn = layer.bn1
    p = bn.bias - bn.running_mean * bn.weight / torch.sqrt(bn.running_var + bn.eps)
    padded = p.detach()[:, None, None].expand(len(x), -1, x.shape[-2] + 2, x.shape[-1] + 2).clone()
    padded[:, :, 1:-1, 1:-1] = x
    return layer.bn(layer.bn2(layer.pw(layer.dw(padded))))


@pytest.fixture
def layer():
    return random_(RepConvBN(6, 8)).double()


@pytest.fixture
def spikes():
    return torch.rand(3, 2, 6, 5, 4, generator=torch.Generator().manual_seed(1)).gt(0.6).double()


@pytest.mark.parametrize('training', [True, False], ids=['train', 'eval'])
def test_is_its_parts_with_explicit_padding(layer, spikes, training):
    layer.train(training)
    other = copy.deepcopy(layer)
    ours, theirs = layer(spikes), explicit(other, spikes)
    assert ours.shape == (3, 2, 8, 5, 4)
    torch.testing.assert_close(ours, theirs.unflatten(0, (3, 2)), rtol=1e-9, atol=1e-9)
    for name, value in layer.state_dict().items():  # running statistics
        torch.testing.assert_close(value, other.state_dict()[name], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize('training', [True, False], ids=['train', 'eval'])
def test_gradients_are_those_of_explicit_padding(layer, spikes, training):
    layer.train(training)
    other, results = copy.deepcopy(layer), []
    for module, function in ((layer, layer), (other, lambda x: explicit(other, x))):
        x = spikes.clone().requires_grad_()
        out = function(x).flatten()
        (out * torch.linspace(-1, 1, len(out), dtype=out.dtype)).sum().backward()
        results.append([x.grad, *(p.grad for p in module.parameters())])
    assert all(g.abs().sum() > 0 for g in results[0])
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-8, atol=1e-9)


def test_the_border_shows_the_padding(layer, spikes):
    layer.eval()
    wrong = layer.bn(layer.bn2(layer.pw(F.conv2d(
        layer.bn1(layer.conv(spikes.flatten(0, 1))), layer.dw.weight, padding=1, groups=6))))
    difference = (layer(spikes) - wrong.unflatten(0, (3, 2))).abs().amax((0, 1, 2))
    assert difference[1:-1, 1:-1].max() < 1e-9
    assert min(difference[0].min(), difference[-1].min(), difference[:, 0].min(), difference[:, -1].min()) > 1e-3


@torch.no_grad()
def test_in_evaluation_it_is_one_dense_zero_padded_3x3_convolution(layer, spikes):
    layer.eval()
    bias = layer(torch.zeros(1, 1, 6, 5, 5, dtype=torch.float64))[0, 0]
    torch.testing.assert_close(bias, bias[:, 2:3, 2:3].expand(8, 5, 5), rtol=0, atol=1e-9)  # at the border, too
    impulses = torch.zeros(1, 6, 6, 5, 5, dtype=torch.float64)
    impulses[0, range(6), range(6), 2, 2] = 1.0
    kernel = (layer(impulses)[0] - bias)[:, :, 1:4, 1:4].flip(-1, -2).transpose(0, 1)  # [out, in, 3, 3]
    dense = F.conv2d(spikes.flatten(0, 1), kernel, bias[:, 2, 2], padding=1)
    torch.testing.assert_close(layer(spikes), dense.unflatten(0, (3, 2)), rtol=0, atol=1e-9)


@torch.no_grad()
def test_in_evaluation_it_is_linear(layer, spikes):
    layer.eval()
    a, b = spikes, spikes.roll(1, 0)
    zero = layer(torch.zeros_like(a))
    torch.testing.assert_close(layer(a + 3 * b), layer(a) + 3 * (layer(b) - zero), rtol=0, atol=1e-9)


def test_the_norms_see_all_time_steps_as_one_batch(layer, spikes):
    together = copy.deepcopy(layer)(spikes.reshape(1, 6, 6, 5, 4))
    torch.testing.assert_close(layer(spikes).reshape_as(together), together, rtol=1e-9, atol=1e-9)
