"""Deformable convolution, v1 and v2 (with a mask), on torchvision's kernels.

Shapes: ``input`` ``[B, C_in, H, W]``, ``weight`` ``[C_out, C_in / groups, kh, kw]``, ``offset``
``[B, offset groups * kh * kw * 2, H_out, W_out]``, (y, x) in pixels, ``mask`` the same without the 2. mmcv passes the
tensors by position, some of them scratch buffers that nothing here needs, and the sizes by keyword.

One difference to torchvision is removed: a sample exactly on coordinate -1 reads 0 and gets no offset gradient in mmcv,
but a one-sided one in torchvision. This is the whole border of a padded layer while its offsets are still 0.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
import torchvision  # noqa: F401  registers torch.ops.torchvision
from torch import Tensor

from spikemm.ops.precision import full_precision


class Geometry(NamedTuple):
    """The integer arguments of torchvision's operators, in their order."""

    stride_h: int
    stride_w: int
    pad_h: int
    pad_w: int
    dilation_h: int
    dilation_w: int
    groups: int
    offset_groups: int

    @classmethod
    def v1(cls, sizes: dict[str, int]) -> 'Geometry':
        names = ('dH', 'dW', 'padH', 'padW', 'dilationH', 'dilationW', 'group', 'deformable_group')
        return cls(*(sizes[name] for name in names))

    @classmethod
    def v2(cls, sizes: dict[str, int]) -> 'Geometry':
        return cls(*(sizes[name] for name in (*cls._fields[:6], 'group', 'deformable_group')))


def deform_conv_forward(
    input: Tensor, weight: Tensor, offset: Tensor, output: Tensor, columns: Tensor, ones: Tensor, **sizes: int
) -> None:
    """Fill ``output`` ``[B, C_out, H_out, W_out]``."""
    output.copy_(convolve(input, weight, offset, None, None, Geometry.v1(sizes)))


def deform_conv_backward_input(
    input: Tensor,
    offset: Tensor,
    grad_output: Tensor,
    grad_input: Tensor,
    grad_offset: Tensor,
    weight: Tensor,
    columns: Tensor,
    **sizes: int,
) -> None:
    """Add to the gradients of the input and the offset.

    Args:
        columns: Scratch buffer that mmcv passes on to :func:`deform_conv_backward_parameters`. It carries the gradient
            of the weight, which torchvision computes along with the others.
    """
    grads = gradients(grad_output, input, weight, offset, None, None, Geometry.v1(sizes))
    grad_input += grads[0]
    grad_offset += grads[2]
    columns.resize_(weight.shape).copy_(grads[1])


def deform_conv_backward_parameters(
    input: Tensor,
    offset: Tensor,
    grad_output: Tensor,
    grad_weight: Tensor,
    columns: Tensor,
    ones: Tensor,
    scale: float,
    **sizes: int,
) -> None:
    """Add ``scale`` times the gradient of the weight."""
    if columns.shape != grad_weight.shape:  # neither the input nor the offset wanted a gradient
        weight = torch.zeros_like(grad_weight)  # any will do
        columns = gradients(grad_output, input, weight, offset, None, None, Geometry.v1(sizes))[1]
    grad_weight += scale * columns


def modulated_deform_conv_forward(
    input: Tensor,
    weight: Tensor,
    bias: Tensor,
    ones: Tensor,
    offset: Tensor,
    mask: Tensor,
    output: Tensor,
    columns: Tensor,
    with_bias: bool,
    **sizes: int,
) -> None:
    """Fill ``output`` ``[B, C_out, H_out, W_out]``."""
    offset, mask = first_values(offset, output), first_values(mask, output)
    output.copy_(convolve(input, weight, offset, mask, bias if with_bias else None, Geometry.v2(sizes)))


def modulated_deform_conv_backward(
    input: Tensor,
    weight: Tensor,
    bias: Tensor,
    ones: Tensor,
    offset: Tensor,
    mask: Tensor,
    columns: Tensor,
    grad_input: Tensor,
    grad_weight: Tensor,
    grad_bias: Tensor,
    grad_offset: Tensor,
    grad_mask: Tensor,
    grad_output: Tensor,
    with_bias: bool,
    **sizes: int,
) -> None:
    """Add to the gradients of all tensors."""
    offset, mask = first_values(offset, grad_output), first_values(mask, grad_output)
    grads = gradients(grad_output, input, weight, offset, mask, bias if with_bias else None, Geometry.v2(sizes))
    grad_input += grads[0]
    grad_weight += grads[1]
    first_values(grad_offset, grad_output).add_(grads[2])
    first_values(grad_mask, grad_output).add_(grads[3])
    if with_bias:
        grad_bias += grads[4]


def first_values(x: Tensor, output: Tensor) -> Tensor:
    """View the first values of every image in ``x`` as a map of the size of ``output``.

    This is what mmcv's v2 reads from offsets of another size, which it does not refuse. mmdet's DyHead relies on it.
    """
    size = output.shape[2:]
    if x.shape[2:] == size:
        return x
    return x.view(len(x), -1)[:, : x.size(1) * size.numel()].view(*x.shape[:2], *size)


def convolve(
    input: Tensor, weight: Tensor, offset: Tensor, mask: Tensor | None, bias: Tensor | None, geometry: Geometry
) -> Tensor:
    return call(torch.ops.torchvision.deform_conv2d, (input, weight, offset), mask, bias, geometry)


def gradients(
    grad_output: Tensor,
    input: Tensor,
    weight: Tensor,
    offset: Tensor,
    mask: Tensor | None,
    bias: Tensor | None,
    geometry: Geometry,
) -> tuple[Tensor, ...]:
    """Gradients of input, weight, offset, mask and bias."""
    operator = torch.ops.torchvision._deform_conv2d_backward
    grads = call(operator, (grad_output, input, weight, offset), mask, bias, geometry)
    outside = samples_outside(offset, weight.shape[2:], geometry)
    grads[2].view(*outside.shape[:2], 2, *outside.shape[2:]).masked_fill_(outside[:, :, None], 0)
    return grads


def call(
    operator: Callable, tensors: tuple[Tensor, ...], mask: Tensor | None, bias: Tensor | None, geometry: Geometry
) -> Tensor | tuple[Tensor, ...]:
    *_, weight, offset = tensors
    use_mask = mask is not None
    mask = mask if use_mask else offset.new_zeros(len(offset), 1)
    bias = bias if bias is not None else weight.new_zeros(len(weight))
    return operator(*full_precision(*tensors, mask, bias), *geometry, use_mask)


def samples_outside(offset: Tensor, kernel_size: tuple[int, int], geometry: Geometry) -> Tensor:
    """Mask ``[B, offset groups * kh * kw, H_out, W_out]`` of the samples above or left of the image, -1 included."""
    (offset,) = full_precision(offset)
    batch, channels, height, width = offset.shape
    rows, columns, kernel_h, kernel_w = (
        torch.arange(size, device=offset.device) for size in (height, width, *kernel_size)
    )
    at_h = kernel_h[:, None] * geometry.dilation_h + rows * geometry.stride_h - geometry.pad_h  # [kh, H_out]
    at_w = kernel_w[:, None] * geometry.dilation_w + columns * geometry.stride_w - geometry.pad_w
    y, x = offset.reshape(batch, -1, *kernel_size, 2, height, width).unbind(4)  # [B, groups, kh, kw, H_out, W_out]
    outside = (at_h[:, None, :, None] + y <= -1) | (at_w[:, None] + x <= -1)
    return outside.reshape(batch, channels // 2, height, width)
