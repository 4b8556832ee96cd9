"""Depthwise convolution with a fast weight gradient on CPU.

The weight gradient of torch's depthwise convolution takes ten times as long as its forward for a 7x7 kernel, which is a
tenth of a training step of Meta-SpikeFormer. It is a sum over positions of elementwise products, done here in one pass
over each row while the row is in cache.
"""

import numba
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .threads import parallel_for

SMALLEST_KERNEL = 5  # torch's own is faster for 3x3

_jit = numba.njit(nogil=True, error_model='numpy', cache=True, fastmath={'contract'})


def depthwise_conv2d(x: Tensor, weight: Tensor, bias: Tensor | None, padding: int) -> Tensor:
    """Depthwise convolution of stride 1.

    Args:
        x: Input ``[N, C, H, W]``.
        weight: Kernel ``[C, 1, K, K]``.
        bias: ``[C]`` or None.
        padding: Zeros around the input.
    """
    ours = x.device.type == 'cpu' and x.dtype == weight.dtype == torch.float32 and weight.requires_grad
    ours = ours and torch.is_grad_enabled() and not torch.is_autocast_enabled('cpu')
    ours = ours and weight.shape[-1] >= SMALLEST_KERNEL
    if not ours or torch.compiler.is_compiling() or not x.is_contiguous(memory_format=torch.channels_last):
        return F.conv2d(x, weight, bias, 1, padding, 1, x.shape[1])
    return _DepthwiseConv2d.apply(x, weight, bias, padding)


class _DepthwiseConv2d(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, bias, padding):
        ctx.save_for_backward(x, weight)
        ctx.padding = padding
        return F.conv2d(x, weight, bias, 1, padding, 1, x.shape[1])

    @staticmethod
    def backward(ctx, grad):
        x, weight = ctx.saved_tensors
        grad = grad.contiguous(memory_format=torch.channels_last)
        pad = [ctx.padding, ctx.padding]
        gx = torch.ops.aten.convolution_backward(
            grad, x, weight, None, [1, 1], pad, [1, 1], False, [0, 0], x.shape[1],
            [ctx.needs_input_grad[0], False, False],
        )[0]
        gw = _weight_grad(x, grad, weight.shape[-1], ctx.padding) if ctx.needs_input_grad[1] else None
        gb = grad.sum((0, 2, 3)) if ctx.needs_input_grad[2] else None
        return gx, gw, gb, None


def _weight_grad(x: Tensor, grad: Tensor, kernel: int, padding: int) -> Tensor:
    """Gradient ``[C, 1, K, K]`` from the input and the output's gradient, both stored with channels last."""
    N, C, H, W = grad.shape
    rows = N * H
    parts = min(torch.get_num_threads(), rows)
    step = -(-rows // parts)
    sums = np.zeros((parts, kernel, kernel, C), np.float32)
    arrays = [t.detach().permute(0, 2, 3, 1).numpy() for t in (x, grad)]
    parallel_for(_rows, rows, *arrays, sums, step, padding, (H, W), grain=step)
    return torch.from_numpy(sums.sum(0)).permute(2, 0, 1).unsqueeze(1).contiguous()


@_jit
def _rows(lo, hi, x, grad, sums, step, padding, out_size):
    """Add the rows ``lo`` to ``hi`` of all images to the sums of this part.

    The taps of a kernel row lie side by side in memory, so that they are one long vector operation with the gradient
    repeated for each of them. Arrays are flat and indices unsigned: slices in a loop as short as this would cost more
    than the sums, and numba lets a signed index count from the end.
    """
    height, width, channels = x.shape[1:]
    kernel = sums.shape[1]
    out_height, out_width = out_size
    total, x_flat, g_flat = sums[lo // step].reshape(-1), x.reshape(-1), grad.reshape(-1)
    repeated = np.empty(kernel * channels, np.float32)
    C = np.uintp(channels)
    for row in range(lo, hi):
        n, i = row // out_height, row % out_height
        for j in range(out_width):
            at = np.uintp((row * out_width + j) * channels)
            for k in range(np.uintp(kernel)):
                for c in range(C):
                    repeated[k * C + c] = g_flat[at + c]
            first, last = max(0, padding - j), min(kernel, width + padding - j)  # taps inside the image
            skip, size = np.uintp(first * channels), np.uintp((last - first) * channels)
            for k in range(max(0, padding - i), min(kernel, height + padding - i)):
                acc = np.uintp(k * kernel * channels) + skip
                line = np.uintp(((n * height + i + k - padding) * width + j + first - padding) * channels)
                for c in range(size):
                    total[acc + c] += x_flat[line + c] * repeated[skip + c]
