"""Pictures of what masked pre-training predicts."""

from collections.abc import Sequence

import numpy as np
import torch
from matplotlib.figure import Figure
from mmpretrain.models.selfsup import MAE
from torch import Tensor

COLUMNS = ('image', 'visible', 'predicted', 'visible and predicted')
GREY = 0.5


@torch.no_grad()
def reconstruct(model: MAE, images: Tensor) -> list[Tensor]:
    """Mask images and predict what is missing.

    Args:
        model: ``MAE`` with an encoder of ours; its head may normalise the pixels of every patch. Then the picture gets
            back the mean and the deviation of each true patch, which the model does not predict, as is the custom.
        images: Normalised images ``[B, 3, H, W]``, square.

    Returns:
        For each of the columns image, visible part, prediction, and visible part completed by the prediction a tensor
        ``[B, 3, H, W]``, normalised as the images are; grey is what is masked.
    """
    latent, mask, ids_restore = model.backbone(images)
    head, pixels = model.head, model.neck(latent, ids_restore)
    patches = head.patchify(images)
    if head.norm_pix:
        deviation = (patches.var(-1, keepdim=True) + 1e-6).sqrt()
        pixels = pixels * deviation + patches.mean(-1, keepdim=True)
    masked = mask[:, :, None].bool()
    columns = patches, patches.where(~masked, torch.nan), pixels, pixels.where(masked, patches)
    return [head.unpatchify(column) for column in columns]


def draw_reconstructions(columns: Sequence[Tensor], mean: Tensor, std: Tensor) -> Figure:
    """Draw what :func:`reconstruct` returns, an image a row; masked pixels are grey.

    Args:
        columns: Tensors ``[B, 3, H, W]``.
        mean: Mean ``[3, 1, 1]`` that the images were normalised with, of RGB values up to 255.
        std: Deviation ``[3, 1, 1]``.
    """
    rows = len(columns[0])
    figure = Figure(figsize=(1.5 * len(columns), 1.4 * rows + 0.4), layout='constrained')
    axes = figure.subplots(rows, len(columns), squeeze=False)
    for column, title, panels in zip(columns, COLUMNS, axes.T, strict=True):
        panels[0].set_title(title, fontsize=9)
        rgb = ((column * std + mean) / 255).clamp(0, 1).nan_to_num(GREY).permute(0, 2, 3, 1)
        for panel, image in zip(panels, np.asarray(rgb.cpu()), strict=True):
            panel.imshow(image, interpolation='nearest')
            panel.axis('off')
    return figure
