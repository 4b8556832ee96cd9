"""RoIPool of `Fast R-CNN <https://arxiv.org/abs/1504.08083>`_, as mmcv defines it.

It is not ``torchvision.ops.roi_pool``, which rounds the RoI to whole pixels: here a RoI runs unrounded from
``x1 * spatial_scale`` to ``(x2 + 1) * spatial_scale``, and only its bins are widened to whole pixels. Unlike mmcv's, a
RoI without extent gives no gradient to pixel 0.
"""

import torch
from torch import Tensor

from spikemm.ops.precision import full_precision


def roi_pool_forward(
    input: Tensor,
    rois: Tensor,
    output: Tensor,
    argmax: Tensor,
    pooled_height: int,
    pooled_width: int,
    spatial_scale: float,
) -> None:
    """Fill ``output`` ``[K, C, pooled_height, pooled_width]`` with the greatest pixel of every bin, 0 for an empty one.

    Args:
        input: ``[B, C, H, W]``.
        rois: ``[K, 5]``: index of the image, then ``(x1, y1, x2, y2)`` in pixels before ``spatial_scale``.
        argmax: Shape of the output, receives the pixel's index in ``H * W``, -1 for an empty bin.
    """
    (rois,) = full_precision(rois)
    argmax.fill_(-1)
    height, width = input.shape[2:]
    start, end = rois[:, 1:3] * spatial_scale, (rois[:, 3:] + 1) * spatial_scale
    columns = bin_edges(start[:, 0], end[:, 0], pooled_width, width)
    rows = bin_edges(start[:, 1], end[:, 1], pooled_height, height)
    valid = (end > start).all(1).tolist()
    for k, image in enumerate(rois[:, 0].long().tolist()):
        for q, (left, right) in enumerate(columns[k]):
            if not valid[k] or left >= right:
                continue
            row_best, column = input[image, :, :, left:right].max(-1)  # [C, H]
            for p, (top, bottom) in enumerate(rows[k]):
                if top < bottom:
                    output[k, :, p, q], row = row_best[:, top:bottom].max(-1)
                    row = row + top
                    argmax[k, :, p, q] = row * width + left + column.gather(1, row[:, None])[:, 0]


def roi_pool_backward(
    grad_output: Tensor,
    rois: Tensor,
    argmax: Tensor,
    grad_input: Tensor,
    pooled_height: int,
    pooled_width: int,
    spatial_scale: float,
) -> None:
    """Add the gradient of every bin to its greatest pixel in ``grad_input`` ``[B, C, H, W]``."""
    (grad_output,) = full_precision(grad_output)
    channels, pixels = grad_input.size(1), grad_input[0, 0].numel()
    plane = rois[:, :1].long() * channels + torch.arange(channels, device=rois.device)  # [K, C]
    index = plane[:, :, None, None] * pixels + argmax.clamp(min=0)
    grad = grad_output.new_zeros(grad_input.numel())
    grad.scatter_add_(0, index.flatten(), (grad_output * (argmax >= 0)).flatten())
    grad_input += grad.view_as(grad_input)


def bin_edges(start: Tensor, end: Tensor, bins: int, size: int) -> list[list[tuple[int, int]]]:
    """First pixel and the one after the last, ``[K][bins]``, of the bins between ``start`` and ``end`` ``[K]``."""
    edges = torch.arange(bins + 1, device=start.device) * ((end - start) / bins)[:, None] + start[:, None]
    edges = torch.stack([edges[:, :-1].floor(), edges[:, 1:].ceil()], -1).clamp(0, size)
    return edges.long().tolist()
