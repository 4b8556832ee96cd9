"""The encoder of Spikformer V2's masked pre-training."""

import math
from functools import partial

import torch
from torch import Tensor

from spikemm.layers import ConvBN, MembraneShortcut, channels_last, mean_over_time, over_time, recompute
from spikemm.layers.time import repeat_over_time
from spikemm.models.backbones import SpikformerV2
from spikemm.registry import MODELS


@MODELS.register_module()
class MaskedSpikformerV2(SpikformerV2):
    """Spikformer V2 that sees a part of the patches, the encoder of its pre-training by masked image modelling
    (Sec. 4 of `Spikformer V2 <https://arxiv.org/abs/2401.02020>`_, after `MAE <https://arxiv.org/abs/2111.06377>`_).

    A patch is what becomes one token. The mask passes the convolutional stem as in `SparK
    <https://arxiv.org/abs/2301.03580>`_: the masked pixels are zero, every convolution's output is zeroed where the
    patch is masked, and the norms count the visible positions only. So a token depends on visible pixels alone. The
    blocks of self-attention get the visible tokens and no others.

    Its parameters are those of :class:`~spikemm.models.backbones.SpikformerV2`, which loads them for fine-tuning:
    ``init_cfg=dict(type='Pretrained', checkpoint=..., prefix='backbone.')``.

    Args:
        arch: As in SpikformerV2.
        mask_ratio: Part of the patches that is masked, drawn for every image.
        **kwargs: As in SpikformerV2.
    """

    def __init__(self, arch: str | dict = '8-384', *, mask_ratio: float = 0.75, **kwargs) -> None:
        if not 0.0 <= mask_ratio < 1.0:
            raise ValueError(f'mask_ratio must be in [0, 1), but got {mask_ratio!r}.')
        super().__init__(arch, **kwargs)
        self.mask_ratio = mask_ratio

    def forward(self, x: Tensor, mask: bool | None = True) -> tuple[Tensor, ...]:
        """Latents of the visible patches; without a mask the features of SpikformerV2.

        Args:
            x: Images ``[B, C, H, W]`` or sequences ``[T, B, C, H, W]``; all steps of a sample have one mask. Height
                and width must be multiples of the patch's side.
            mask: Whether patches are masked.

        Returns:
            What mmpretrain's ``MAE`` takes: latents ``[B, N_visible, C]``, membrane potentials averaged over time; the
            mask ``[B, N]``, 1 where a patch is masked; and the indices ``[B, N]`` that bring the visible tokens,
            followed by the masked ones, back to their places.
        """
        if not mask:
            return super().forward(x)
        self._check(x)
        side = self.stage_strides[-1]
        if any(size % side for size in x.shape[-2:]):
            raise ValueError(f'x must have a height and width divisible by {side}, but got shape {tuple(x.shape)}.')
        height, width = (size // side for size in x.shape[-2:])
        order = torch.rand(x.shape[-4], height * width, device=x.device).argsort(1)
        visible = order[:, : self.num_visible(height * width)].sort(1).values
        latent = self.encode(x, visible)
        masked = torch.ones(order.shape, device=x.device).scatter_(1, visible, 0.0)
        return latent, masked, masked.argsort(dim=1, stable=True).argsort(1)

    def num_visible(self, patches: int) -> int:
        """Number of patches that the encoder sees out of ``patches``; one at least."""
        return max(1, math.floor(patches * (1.0 - self.mask_ratio)))

    def encode(self, x: Tensor, visible: Tensor) -> Tensor:
        """Latents of some patches.

        Args:
            x: Images ``[B, C, H, W]`` or sequences ``[T, B, C, H, W]``.
            visible: Indices ``[B, N_visible]`` of the patches that are seen, row by row; equally many an image.

        Returns:
            ``[B, N_visible, C]``.
        """
        side = self.stage_strides[-1]
        seen = torch.zeros(len(visible), x.shape[-2] // side * (x.shape[-1] // side), dtype=torch.bool, device=x.device)
        seen = seen.scatter_(1, visible, True).view(len(visible), x.shape[-2] // side, x.shape[-1] // side)
        x = channels_last(x.where(_enlarged(seen, side)[:, None], 0.0))  # not x * mask: NaN * 0 is NaN
        still = x.ndim == 4
        x = x.unsqueeze(0) if still else x
        for (embed, block, *_), stride in zip(self.stages, self.stage_strides, strict=True):
            at = _enlarged(seen, side // stride)
            x = _masked(embed.conv, x if embed.neuron is None else embed.neuron(x), at)
            if still and embed.neuron is None:
                x = repeat_over_time(x[0], self.T)
            mix = partial(_mixed, block, at)
            x = recompute(mix, x, block) if self.with_cp and self.training else mix(x)
        x = x.permute(0, 1, 3, 4, 2).flatten(2, 3)  # [T, B, N, C]
        x = x.gather(2, visible[None, :, :, None].expand(len(x), -1, -1, x.shape[-1]))
        x = x.transpose(-2, -1).unsqueeze(-1)  # [T, B, C, N_visible, 1]
        for block in self.stages[-1][2:]:
            x = recompute(block, x) if self.with_cp and self.training else block(x)
        return mean_over_time(x).squeeze(-1).transpose(1, 2)


def _enlarged(seen: Tensor, factor: int) -> Tensor:
    """The mask of patches ``[B, h, w]`` as one of their pixels."""
    return seen.repeat_interleave(factor, 1).repeat_interleave(factor, 2)


def _mixed(block: MembraneShortcut, seen: Tensor, x: Tensor) -> Tensor:
    """A block of the stem; it drops no path."""
    mixing = block.branch
    return x + _masked(mixing.fc2, mixing.neuron(_masked(mixing.fc1, block.neuron(x), seen)), seen)


def _masked(layer: ConvBN, x: Tensor, seen: Tensor) -> Tensor:
    """Convolution and norm of ``[T, B, C, H, W]``; the norm counts positions where ``seen``, others become zero."""
    x = over_time(layer.conv, x).permute(0, 1, 3, 4, 2)  # [T, B, H, W, C]
    seen = seen.expand(x.shape[:-1])
    values = layer.bn(x[seen][:, :, None, None])[:, :, 0, 0]
    return values.new_zeros(x.shape).index_put((seen,), values).permute(0, 1, 4, 2, 3)
