"""Spike-driven self-attention against its formulas, written out."""

import copy

import pytest
import torch
from test_rep_conv import random_
from torch import Tensor

from spikemm.layers import SDSA
from spikemm.neurons import LIF

NEURON = dict(type='LIF')
T, B, C, H, W, HEADS = 3, 2, 24, 5, 7, 3
every_version = pytest.mark.parametrize('version', [1, 2, 3, 4])


def attention(version: int = 3, **kwargs) -> SDSA:
    return random_(SDSA(C, HEADS, NEURON, version=version, **kwargs)).eval()


def spikes() -> Tensor:
    return torch.rand(T, B, C, H, W, generator=torch.Generator().manual_seed(1)).gt(0.5).float()


@pytest.fixture
def seen():
    """Inputs of modules by name: ``x = seen(layer, 'proj')`` before the call, ``x[0]`` after it."""

    def watch(layer, name):
        inputs = []
        layer.get_submodule(name).register_forward_pre_hook(lambda module, args: inputs.append(args[0].detach()))
        return inputs

    return watch


def projections(layer: SDSA, x: Tensor) -> dict[str, Tensor]:
    """Q, K, V as ``[T, B, heads, d, N]`` of 0 and 1."""
    names = 'qv' if layer.version == 2 else 'qkv'
    out = {n: LIF()(layer.get_submodule(n)(x)).reshape(T, B, HEADS, C // HEADS, H * W) for n in names}
    assert all(0.05 < s.mean() < 0.95 for s in out.values()), 'silent Q, K or V'
    return out


def naive(layer: SDSA, x: Tensor) -> Tensor:
    """What the projection receives, by the formulas of the docstring, token by token."""
    p = projections(layer, x)
    q, v = p['q'], p['v']
    fire = LIF(v_threshold=0.5)
    if layer.version == 1:
        out = q * fire((p['k'] * v).sum(-1, keepdim=True))
    elif layer.version == 2:
        out = fire(q.sum(-1, keepdim=True)) * v
    else:
        out = torch.zeros_like(q)
        for m in range(H * W):
            alike = (q * p['k'][..., m, None]).sum(-2, keepdim=True)  # of token m and every other, a head
            out += 0.125 * alike * v[..., m, None]
        out = fire(out)
    return out.reshape(T, B, C, H, W)


@every_version
@torch.no_grad()
def test_is_its_formula_written_out(version, seen):
    layer, x = attention(version), spikes()
    masked = seen(layer, 'proj')
    out = layer(x)
    expected = naive(layer, x)
    assert 0.02 < expected.mean() < 0.98
    assert torch.equal(masked[0], expected)
    torch.testing.assert_close(out, layer.proj(expected))


@every_version
@torch.no_grad()
def test_only_spikes_reach_the_projection(version, seen):
    layer = attention(version)
    masked = seen(layer, 'proj')
    layer(spikes())
    assert masked[0].unique().tolist() == [0, 1]


@pytest.mark.parametrize('version', [3, 4])
@torch.no_grad()
def test_the_scale_merged_into_the_threshold_gives_the_same_spikes(version):
    scaled, merged = attention(version), attention(version, scale=None)
    if version == 3:
        merged.load_state_dict(scaled.state_dict())
    assert scaled(spikes()).std() > 0.1
    assert torch.equal(scaled(spikes()), merged(spikes()))


def test_the_merged_threshold_follows_that_of_the_neuron():
    neuron = dict(type='LIF', v_threshold=2.0)
    assert SDSA(C, HEADS, neuron).attn_neuron.v_threshold == 1.0
    assert SDSA(C, HEADS, neuron, scale=None).attn_neuron.v_threshold == 8.0


def test_a_head_sees_its_own_channels_only():
    layer = attention()
    q, k, v = spikes(), spikes().roll(1, 0), spikes().roll(1, 1)
    before = layer.product(q, k, v)
    k[:, :, :8] = 0  # the first head of three
    after = layer.product(q, k, v)
    assert before[:, :, :8].abs().sum() > 0 and after[:, :, :8].abs().sum() == 0
    assert torch.equal(before[:, :, 8:], after[:, :, 8:])


def test_tokens_may_be_in_any_order():
    layer, x = attention(rep_qkv=False, rep_proj=False), spikes()
    order = torch.randperm(H * W, generator=torch.Generator().manual_seed(2))
    shuffled = layer(x.flatten(3)[..., order].reshape_as(x))
    assert layer(x).std() > 0.1
    torch.testing.assert_close(shuffled.flatten(3), layer(x).flatten(3)[..., order])


@every_version
def test_learns_everywhere(version):
    layer, x = attention(version).train(), spikes().requires_grad_()
    (layer(x) * torch.randn(T, B, C, H, W, generator=torch.Generator().manual_seed(3))).sum().backward()
    assert x.grad.abs().sum() > 0
    for name, parameter in layer.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


def test_version_two_has_two_projections_and_four_one_threshold_more():
    count = {v: sum(p.numel() for p in attention(v).parameters()) for v in (1, 2, 3, 4)}
    projection = sum(p.numel() for p in attention().proj.parameters())
    assert count == {1: 4 * projection, 2: 3 * projection, 3: 4 * projection, 4: 4 * projection + 1}


def test_a_copy_attends_alike():
    layer, x = attention(), spikes()
    layer(x).sum().backward()
    assert torch.equal(copy.deepcopy(layer)(x), layer(x))


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match='sdsa must be 1, 2, 3 or 4, but got 5'):
        SDSA(C, HEADS, NEURON, version=5)
    with pytest.raises(ValueError, match='embed_dims must be divisible by num_heads, but got 24 and 5'):
        SDSA(C, 5, NEURON)
