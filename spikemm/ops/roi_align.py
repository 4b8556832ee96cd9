"""RoIAlign of `Mask R-CNN <https://arxiv.org/abs/1703.06870>`_.

The average of a bin is torchvision's kernel, which agrees with mmcv's to the last bit. The maximum, which torchvision
does not have, and a backward pass that sums in a fixed order are plain torch, one RoI after another.

``rois`` are ``[K, 5]``: index of the image, then ``(x1, y1, x2, y2)`` in pixels before ``spatial_scale``. Two
differences to mmcv on the CPU: RoIs of negative size are not refused, and the maximum of no samples is 0, not -10000.
"""

from collections.abc import Iterator

import torch
import torchvision  # noqa: F401  registers torch.ops.torchvision
from torch import Tensor

from spikemm.ops.precision import full_precision

MAX, AVERAGE = range(2)


def roi_align_forward(
    input: Tensor,
    rois: Tensor,
    output: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Fill ``output`` ``[K, C, aligned_height, aligned_width]`` from ``input`` ``[B, C, H, W]``.

    Args:
        argmax_y: For the maximum, receives its coordinate on the map (-1: no sample) in the shape of the output.
        sampling_ratio: Samples of a bin along each axis; 0 for about one a pixel.
        pool_mode: 0 maximum, 1 average.
        aligned: Whether pixel centres lie at 0.5 and not at 0.
    """
    x, boxes = full_precision(input, rois)
    boxes = boxes.to(x.dtype)
    bins = (aligned_height, aligned_width)
    if pool_mode == AVERAGE:
        pool = torch.ops.torchvision.roi_align
        output.copy_(pool(x, boxes, spatial_scale, *bins, sampling_ratio, aligned))
    else:
        with torch.autocast(x.device.type, enabled=False):
            points = sample_points(boxes, bins, spatial_scale, sampling_ratio, aligned)
            pool_maximum(x, points, output, argmax_y, argmax_x)


def roi_align_backward(
    grad_output: Tensor,
    rois: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    grad_input: Tensor,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Add the gradient of the input, from that of the output, to ``grad_input`` ``[B, C, H, W]``."""
    grad, boxes, argmax_y, argmax_x = full_precision(grad_output, rois, argmax_y, argmax_x)
    boxes = boxes.to(grad.dtype)
    bins = (aligned_height, aligned_width)
    shape = grad_input.shape
    with torch.autocast(grad.device.type, enabled=False):
        if pool_mode == MAX:
            grad_input += gradient_of_maximum(grad, boxes, argmax_y, argmax_x, shape)
        elif grad.is_cuda and torch.are_deterministic_algorithms_enabled():
            # torchvision's kernel raises then; mmcv's does not ask.
            points = sample_points(boxes, bins, spatial_scale, sampling_ratio, aligned)
            grad_input += gradient_of_average(grad, points, shape)
        else:
            pool_backward = torch.ops.torchvision._roi_align_backward
            grad_input += pool_backward(grad, boxes, spatial_scale, *bins, *shape, sampling_ratio, aligned)


def pool_maximum(
    input: Tensor, points: Iterator[tuple[int, Tensor, Tensor]], output: Tensor, argmax_y: Tensor, argmax_x: Tensor
) -> None:
    """Fill ``output`` with the greatest sample of every bin, and ``argmax_y``, ``argmax_x`` with its coordinates."""
    for k, (image, y, x) in enumerate(points):
        if not y.numel() or not x.numel():
            argmax_y[k] = argmax_x[k] = -1
            continue
        weights_y, weights_x = interpolation(y.flatten(), input.size(2)), interpolation(x.flatten(), input.size(3))
        samples = (weights_y @ input[image] @ weights_x.T).view(-1, *y.shape, *x.shape)
        output[k], index = samples.transpose(2, 3).flatten(3).max(-1)  # [C, bins_h, bins_w, samples] -> [C, ...]
        row, column = index // x.size(1), index % x.size(1)
        argmax_y[k] = y[torch.arange(len(y), device=y.device)[:, None], row]
        argmax_x[k] = x[torch.arange(len(x), device=x.device), column]


def gradient_of_maximum(
    grad_output: Tensor, rois: Tensor, argmax_y: Tensor, argmax_x: Tensor, shape: torch.Size
) -> Tensor:
    """Gradient ``[B, C, H, W]``: every bin's goes to the four pixels around its greatest sample."""
    grad_input = grad_output.new_zeros(shape)
    grad_output = grad_output * (argmax_y != -1)
    for k, image in enumerate(rois[:, 0].long().tolist()):
        weights_y, weights_x = interpolation(argmax_y[k], shape[2]), interpolation(argmax_x[k], shape[3])
        weights_y = weights_y * grad_output[k, ..., None]  # [C, bins_h, bins_w, H]
        grad_input[image] += weights_y.flatten(1, 2).transpose(1, 2) @ weights_x.flatten(1, 2)
    return grad_input


def gradient_of_average(
    grad_output: Tensor, points: Iterator[tuple[int, Tensor, Tensor]], shape: torch.Size
) -> Tensor:
    """Gradient ``[B, C, H, W]`` of the average of a bin's samples, summed in the order of the RoIs."""
    grad_input = grad_output.new_zeros(shape)
    for grad, (image, y, x) in zip(grad_output, points, strict=True):
        weights_y, weights_x = interpolation(y, shape[2]).sum(1), interpolation(x, shape[3]).sum(1)  # [bins, H or W]
        grad_input[image] += weights_y.T @ grad @ weights_x / max(y.size(1) * x.size(1), 1)
    return grad_input


def sample_points(
    rois: Tensor, bins: tuple[int, int], spatial_scale: float, sampling_ratio: int, aligned: bool
) -> Iterator[tuple[int, Tensor, Tensor]]:
    """Yield for every RoI its image, and the coordinates y ``[bins_h, samples]`` and x ``[bins_w, samples]``."""
    corners = rois[:, 1:] * spatial_scale - (0.5 if aligned else 0.0)
    size = corners[:, 2:] - corners[:, :2]
    bin_size = (size if aligned else size.clamp(min=1)) / rois.new_tensor([bins[1], bins[0]])
    samples = torch.full_like(bin_size, sampling_ratio) if sampling_ratio > 0 else bin_size.ceil().clamp(min=0)
    for roi, start, step, count in zip(rois[:, 0].tolist(), corners, bin_size, samples.long().tolist(), strict=True):
        x, y = (
            start[i] + torch.arange(bins[1 - i], device=rois.device)[:, None] * step[i]
            + (torch.arange(count[i], device=rois.device) + 0.5) * step[i] / count[i]
            for i in range(2)
        )
        yield int(roi), y, x


def interpolation(at: Tensor, size: int) -> Tensor:
    """Weights ``[..., size]`` of the pixels at coordinates ``at``: linear between two, 0 beyond -1 and ``size``."""
    pixels = torch.arange(size, device=at.device)
    weights = (1 - (at.clamp(0, size - 1)[..., None] - pixels).abs()).clamp(min=0)
    return weights * ((at >= -1) & (at <= size))[..., None]
