"""A neuron behind a norm."""

import torch
from torch import Tensor, nn

from spikemm.neurons import LIF
from spikemm.ops.norm_lif import can_fuse, norm_lif

from .time import over_time


def norm_fire(norm: nn.Module, neuron: nn.Module | None, x: Tensor) -> Tensor:
    """``neuron(norm(x))`` over ``[T, B, C, H, W]``, in training on CPU as one operator; without a neuron ``norm(x)``.

    Modules that somebody watches by a hook, or whose ``forward`` somebody replaced, are called one after the other.
    """
    plain = neuron is None or not torch.is_grad_enabled() or not isinstance(neuron, LIF) or _watched(norm, neuron)
    if plain or not can_fuse(x, norm, neuron.surrogate_function):
        x = over_time(norm, x)
        return x if neuron is None else neuron(x)
    return norm_lif(x, norm, neuron.rule, neuron.surrogate_function)


def _watched(*modules: nn.Module) -> bool:
    return any(
        m._forward_hooks or m._forward_pre_hooks or m._backward_hooks or m._backward_pre_hooks or 'forward' in vars(m)
        for m in modules)
