"""Attention masks of `PSANet: Point-wise Spatial Attention Network for Scene Parsing
<https://hszhao.github.io/papers/eccv18_psanet.pdf>`_.

Every position of a map predicts a window ``[h_mask, w_mask]`` of weights centred on itself. The operators move them
between the windows ``[B, h_mask * w_mask, H, W]`` and the map ``[B, H * W, H * W]``. An entry of the map is at
``[other, self]`` for psa_type 0 ("collect") and at ``[self, other]`` for psa_type 1 ("distribute").
"""

import torch
from torch import Tensor

COLLECT, DISTRIBUTE = range(2)


def psamask_forward(
    input: Tensor,
    output: Tensor,
    psa_type: int,
    num_: int,
    h_feature: int,
    w_feature: int,
    h_mask: int,
    w_mask: int,
    half_h_mask: int,
    half_w_mask: int,
) -> None:
    """Spread the windows ``input`` over the map ``output``, which is 0 beyond them."""
    h, w = torch.arange(h_feature, device=input.device), torch.arange(w_feature, device=input.device)
    windows = input.view(num_, h_mask, w_mask, h_feature, w_feature)
    pairs = pick(windows, h[:, None] - h + half_h_mask, w[:, None] - w + half_w_mask)  # [B, H, W, H, W]: other, self
    if psa_type == DISTRIBUTE:
        pairs = pairs.movedim((3, 4), (1, 2))
    output.copy_(pairs.reshape_as(output))


def psamask_backward(
    grad_output: Tensor,
    grad_input: Tensor,
    psa_type: int,
    num_: int,
    h_feature: int,
    w_feature: int,
    h_mask: int,
    w_mask: int,
    half_h_mask: int,
    half_w_mask: int,
) -> None:
    """Collect the gradient of the windows ``grad_input`` from that of the map ``grad_output``."""
    h, w = torch.arange(h_feature, device=grad_output.device), torch.arange(w_feature, device=grad_output.device)
    window_h, window_w = (torch.arange(size, device=grad_output.device)[:, None] for size in (h_mask, w_mask))
    pairs = grad_output.reshape(num_, h_feature, w_feature, h_feature, w_feature)
    if psa_type == DISTRIBUTE:
        pairs = pairs.movedim((3, 4), (1, 2))
    grad_input.copy_(pick(pairs, window_h + h - half_h_mask, window_w + w - half_w_mask).reshape_as(grad_input))


def pick(source: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Take ``source[:, rows[p, h], columns[q, w], h, w]`` for all ``[B, p, q, h, w]``; 0 where the index is outside."""
    _, height, width, h_feature, w_feature = source.shape
    h, w = torch.arange(h_feature, device=source.device), torch.arange(w_feature, device=source.device)
    inside_h, inside_w = (rows >= 0) & (rows < height), (columns >= 0) & (columns < width)
    rows, columns = rows.clamp(0, height - 1)[:, None, :, None], columns.clamp(0, width - 1)[None, :, None]
    picked = source[:, rows, columns, h[:, None], w]
    return picked * (inside_h[:, None, :, None] & inside_w[None, :, None])
