"""Convolution at chosen positions only, for guided anchoring: gather patches, multiply (by mmcv), scatter."""

import torch
import torch.nn.functional as F
from torch import Tensor


def masked_im2col_forward(
    im: Tensor,
    mask_h_idx: Tensor,
    mask_w_idx: Tensor,
    col: Tensor,
    kernel_h: int,
    kernel_w: int,
    pad_h: int,
    pad_w: int,
) -> None:
    """Fill ``col`` ``[C * kernel_h * kernel_w, M]`` with the patches of ``im`` ``[1, C, H, W]`` at M positions."""
    # Behind the image as much padding as any position may ask for.
    padded = F.pad(im[0], (pad_w, kernel_w, pad_h, kernel_h))
    rows = mask_h_idx + torch.arange(kernel_h, device=im.device)[:, None]
    columns = mask_w_idx + torch.arange(kernel_w, device=im.device)[:, None]
    col.copy_(padded[:, rows[:, None], columns[None]].flatten(0, 2))


def masked_col2im_forward(
    col: Tensor, mask_h_idx: Tensor, mask_w_idx: Tensor, im: Tensor, height: int, width: int, channels: int
) -> None:
    """Write the results ``col`` ``[C, M]`` to their M positions in ``im`` ``[1, C, H, W]``."""
    im[0, :, mask_h_idx, mask_w_idx] = col
