"""Batch norm followed by LIF neurons, keeping one tensor for the backward where the two apart keep two.

The norm's output is overwritten by the spikes; the backward computes it again from the norm's input, which the norm
keeps anyway.
"""

import torch
from spikingjelly.activation_based.surrogate import SurrogateFunctionBase
from torch import Tensor, nn

from .dynamics import Dynamics
from .lif import cpu_surrogate


def can_fuse(x: Tensor, norm: nn.Module, surrogate_function: SurrogateFunctionBase) -> bool:
    """Whether :func:`norm_lif` takes ``x`` ``[T, B, C, H, W]``: a training norm, float32, channels last, on CPU."""
    return (
        type(norm) is nn.BatchNorm2d
        and norm.training
        and norm.affine
        and norm.track_running_stats
        and norm.momentum is not None
        and x.dtype == norm.weight.dtype == torch.float32
        and cpu_surrogate(x, surrogate_function) is not None
        and not torch.is_autocast_enabled('cpu')
        and x.numel() > x.shape[2]
        and x.flatten(0, 1).is_contiguous(memory_format=torch.channels_last)
    )


def norm_lif(x: Tensor, norm: nn.BatchNorm2d, rule: Dynamics, surrogate_function: SurrogateFunctionBase) -> Tensor:
    """Spikes ``[T, B, C, H, W]`` of the normalised ``x``; updates the running statistics as ``norm(x)`` does."""
    norm.num_batches_tracked.add_(1)
    stats = (norm.running_mean, norm.running_var, norm.momentum, norm.eps)
    return _NormLIF.apply(x, norm.weight, norm.bias, stats, rule, cpu_surrogate(x, surrogate_function))


class _NormLIF(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, bias, stats, rule, surrogate):
        from spikemm.ops import lif_cpu

        mean, var, momentum, eps = stats
        y, batch_mean, inv_std = torch.native_batch_norm(x.flatten(0, 1), weight, bias, mean, var, True, momentum, eps)
        ctx.save_for_backward(x, weight, bias, batch_mean, inv_std)
        ctx.eps, ctx.rule, ctx.surrogate = eps, rule, surrogate
        return lif_cpu.forward_(y.unflatten(0, x.shape[:2]), rule)

    @staticmethod
    def backward(ctx, gs):
        from spikemm.ops import lif_cpu

        x, weight, bias, mean, inv_std = ctx.saved_tensors
        flat = x.flatten(0, 1)
        scale = weight * inv_std
        y = torch.addcmul((bias - mean * scale)[:, None, None], flat, scale[:, None, None]).unflatten(0, x.shape[:2])
        gy, _ = lif_cpu.backward(y, None, gs, None, ctx.rule, ctx.surrogate, False)
        del y
        grads = torch.ops.aten.native_batch_norm_backward(
            gy.flatten(0, 1), flat, weight, None, None, mean, inv_std, True, ctx.eps, [True, True, True]
        )
        return grads[0].unflatten(0, x.shape[:2]), grads[1], grads[2], None, None, None
