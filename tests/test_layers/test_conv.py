"""Convolutions over time: steps do not mix, and a still image is computed once."""

import copy
import os
import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F
from test_rep_conv import random_
from torch import nn

from spikemm.layers import ConvBN, Downsample, SepConv, SpikingMLP, over_time, to_sequence
from spikemm.layers.conv import DepthwiseConv
from spikemm.neurons import LIF

NEURON = dict(type='LIF')


def image(B: int = 3, C: int = 3, H: int = 9, W: int = 7) -> torch.Tensor:
    return torch.randn(B, C, H, W, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 2


def spikes(C: int = 4) -> torch.Tensor:
    return torch.randn(3, 2, C, 9, 7, generator=torch.Generator().manual_seed(1)).gt(0.3).double()


def stem(**kwargs) -> Downsample:
    return random_(Downsample(3, 6, 7, stride=2, **kwargs)).double()


@pytest.mark.parametrize('after', [None, LIF()], ids=['membrane', 'spikes'])
@pytest.mark.parametrize('training', [True, False], ids=['train', 'eval'])
@pytest.mark.parametrize('T', [1, 4])
def test_an_image_gives_what_its_repetition_gives(T, training, after):
    once = stem(after=after).train(training)
    repeated, x = copy.deepcopy(once), image()
    ours, theirs = once.forward_image(x, T), repeated(to_sequence(x, T))
    assert ours.shape == (T, 3, 6, 5, 4) and ours.abs().sum() > 0
    torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize('T', [1, 2, 4])
def test_an_image_leaves_the_running_statistics_of_its_repetition(T):
    once = stem().train()
    repeated, start = copy.deepcopy(once), copy.deepcopy(once.state_dict())
    for _ in range(3):
        once.forward_image(image(), T)
        repeated(to_sequence(image(), T))
    assert not torch.allclose(once.conv.bn.running_var, start['conv.bn.running_var'])
    for name, value in once.state_dict().items():
        torch.testing.assert_close(value, repeated.state_dict()[name], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize('training', [True, False], ids=['train', 'eval'])
def test_an_image_gives_the_gradients_of_its_repetition(training):
    once, results = stem().train(training), []
    repeated = copy.deepcopy(once)
    upstream = torch.randn(4, 3, 6, 5, 4, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    for layer in (once, repeated):
        x = image().requires_grad_()
        out = layer.forward_image(x, 4) if layer is once else layer(to_sequence(x, 4))
        (out * upstream).sum().backward()
        results.append([x.grad, *(p.grad for p in layer.parameters())])
    assert results[0][0].abs().sum() > 0
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-8, atol=1e-9)


def test_a_frozen_stem_keeps_its_statistics():
    layer = stem().eval()
    before = copy.deepcopy(layer.state_dict())
    layer.forward_image(image(), 4)
    assert all(torch.equal(value, before[name]) for name, value in layer.state_dict().items())


@pytest.mark.parametrize('place', ['before', 'after'])
def test_downsampling_fires_where_its_neuron_stands(place):
    layer = random_(Downsample(4, 6, 3, stride=2, **{place: LIF()})).double().eval()
    x = 3 * torch.randn(2, 2, 4, 9, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    expected = layer.conv(LIF()(x)) if place == 'before' else LIF()(layer.conv(x))
    assert expected.abs().sum() > 0
    torch.testing.assert_close(layer(x), expected)


@pytest.mark.parametrize('size, expected', [(8, 4), (9, 5), (1, 1)])
@pytest.mark.parametrize('kernel', [3, 7])
def test_a_stride_rounds_up(size, expected, kernel):
    layer = Downsample(3, 4, kernel, stride=2).eval()
    assert layer(torch.zeros(1, 1, 3, size, size)).shape[-2:] == (expected, expected)


def test_batch_norm_sees_every_step_as_a_sample():
    layer, x = ConvBN(4, 5, 3).double().train(), spikes()
    y = F.conv2d(x.flatten(0, 1), layer.conv.weight, padding=1)
    expected = (y - y.mean((0, 2, 3), keepdim=True)) / (y.var((0, 2, 3), keepdim=True, unbiased=False) + 1e-5).sqrt()
    torch.testing.assert_close(layer(x), expected.unflatten(0, (3, 2)), rtol=1e-9, atol=1e-9)


def test_sep_conv_is_its_equation():
    layer, x = random_(SepConv(4, NEURON)).double().eval(), spikes()
    hidden = layer.pw1.bn(layer.pw1.conv(x.flatten(0, 1)))
    fired = LIF()(hidden.unflatten(0, (3, 2)))
    assert 0.02 < fired.mean() < 0.98
    mixed = F.conv2d(fired.flatten(0, 1), layer.dw.weight, padding=3, groups=8)
    expected = layer.pw2.bn(layer.pw2.conv(mixed))
    torch.testing.assert_close(layer(x), expected.unflatten(0, (3, 2)), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize('kernel_size, bias', [(1, True), (3, False)], ids=['ChannelMLP', 'ChannelConv'])
def test_the_mlp_is_its_equation(kernel_size, bias):
    layer, x = random_(SpikingMLP(4, NEURON, kernel_size=kernel_size, bias=bias)).double().eval(), spikes()
    assert layer.fc1.conv.weight.shape == (16, 4, kernel_size, kernel_size)
    assert (layer.fc1.conv.bias is not None) is bias
    fired = LIF()(over_time(lambda x: layer.fc1.bn(layer.fc1.conv(x)), x))
    assert 0.02 < fired.mean() < 0.98
    expected = over_time(lambda x: layer.fc2.bn(layer.fc2.conv(x)), fired)
    torch.testing.assert_close(layer(x), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.usefixtures('threads')
@pytest.mark.parametrize('kernel', [3, 5, 7])
@pytest.mark.parametrize('shape', [(3, 6, 9, 7), (1, 5, 2, 11), (2, 1, 8, 8), (2, 33, 1, 1), (7, 4, 1, 3)], ids=str)
def test_a_depthwise_convolution_has_the_gradients_of_torch(shape, kernel):
    layer, results = random_(DepthwiseConv(shape[1], kernel)), []
    upstream = torch.randn(shape, generator=torch.Generator().manual_seed(2))
    for memory_format in (torch.contiguous_format, torch.channels_last):
        x = image(*shape).float().contiguous(memory_format=memory_format).requires_grad_()
        out = layer(x)
        results.append([out.detach(), *torch.autograd.grad((out * upstream).sum(), [x, layer.weight])])
    x, weight = image(*shape).requires_grad_(), layer.weight.detach().double().requires_grad_()
    out = F.conv2d(x, weight, padding=kernel // 2, groups=shape[1])
    expected = [out.detach(), *torch.autograd.grad((out * upstream).sum(), [x, weight])]
    assert all(e.abs().sum() > 0 for e in expected)
    for ours in results:
        for got, value in zip(ours, expected, strict=True):
            torch.testing.assert_close(got, value.float(), rtol=1e-4, atol=1e-4)


def test_a_frozen_depthwise_convolution_passes_the_gradient_on():
    layer = random_(DepthwiseConv(4, 7)).requires_grad_(False)
    x = image(2, 4).float().requires_grad_()
    layer(x).square().sum().backward()
    assert layer.weight.grad is None and x.grad.abs().sum() > 0


def test_over_time_keeps_the_steps_apart():
    x = spikes()
    assert torch.equal(over_time(lambda x: x.cumsum(1), x), torch.stack([step.cumsum(1) for step in x]))


def test_an_image_becomes_a_sequence_and_a_sequence_stays():
    assert torch.equal(to_sequence(image(), 2), torch.stack([image(), image()]))
    assert to_sequence(spikes(), 7).shape == spikes().shape
    with pytest.raises(ValueError, match=r'x must be \[B, C, H, W\] or \[T, B, C, H, W\], but got shape \(3, 4\)'):
        to_sequence(torch.zeros(3, 4), 2)


def test_a_strided_pointwise_convolution_is_that_of_torch():
    torch.manual_seed(0)
    ours, x = ConvBN(8, 16, stride=2, bias=True).conv, torch.randn(2, 8, 7, 6, requires_grad=True)
    theirs = nn.Conv2d(8, 16, 1, 2)
    theirs.load_state_dict(ours.state_dict())
    for conv in (ours, theirs):
        conv(x).square().sum().backward()
    torch.testing.assert_close(ours(x), theirs(x))
    torch.testing.assert_close(ours.weight.grad, theirs.weight.grad)
    torch.testing.assert_close(ours.bias.grad, theirs.bias.grad)


def test_narrow_strided_pointwise_convolutions_do_not_damage_memory():
    code = (
        'import torch; from spikemm.layers import ConvBN; conv = ConvBN(8, 16, stride=2)\n'
        'for _ in range(10):\n'
        '    x = torch.randn(2, 8, 64, 64).contiguous(memory_format=torch.channels_last).requires_grad_()\n'
        '    conv.conv(x).sum().backward()\n')
    done = subprocess.run([sys.executable, '-c', code], env={**os.environ, 'MALLOC_CHECK_': '3'}, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
