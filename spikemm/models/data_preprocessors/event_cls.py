"""Batches of event frames for classifiers."""

from copy import deepcopy

import torch
import torch.nn.functional as F
from mmpretrain.models.utils import ClsDataPreprocessor
from torch import Tensor

from spikemm.models.batch_augments import adapt_to_clips
from spikemm.registry import MODELS


@MODELS.register_module()
class EventDataPreprocessor(ClsDataPreprocessor):
    """mmpretrain's ``ClsDataPreprocessor`` for clips of event frames.

    Samples are ``[T * C, H, W]``, as the stock ``PackInputs`` makes them, or ``[T, C, H, W]``. They become a batch
    ``[B, T, C, H, W]``, in which batch augmentations (Mixup, CutMix, :class:`EventMix`) treat a clip as one sample, and
    reach the model as ``[T, B, C, H, W]``. Shorter and smaller clips get empty time steps at their end and empty
    pixels at the right and at the bottom; nothing is normalised unless ``mean`` and ``std`` are given, and then a pixel
    without events is what ``-mean / std`` says.

    Example::

        data_preprocessor = dict(type='spikemm.EventDataPreprocessor', num_classes=11)

    Args:
        channels: Channels ``C`` of a time step: 2 polarities.
        batch_augments: As of ``ClsDataPreprocessor``. It is copied, since mmpretrain appends to its ``probs``, and a
            config from which a second model is built, to test after training, would be refused.
        **kwargs: Other arguments of ``ClsDataPreprocessor``; ``mean`` and ``std`` have one entry, or one a channel.

    Raises:
        ValueError: The channels of a sample are not a multiple of ``channels``.
    """

    def __init__(self, *, channels: int = 2, batch_augments: dict | None = None, **kwargs) -> None:
        super().__init__(batch_augments=deepcopy(batch_augments), **kwargs)
        if not isinstance(channels, int) or channels < 1:
            raise ValueError(f'`channels` must be a positive integer, but got {channels!r}.')
        self.channels = channels
        if self.batch_augments is not None:
            adapt_to_clips(self.batch_augments)

    def forward(self, data: dict, training: bool = False) -> dict:
        clips = [split_time(clip, self.channels) for clip in self.cast_data(data['inputs'])]
        batch = super().forward({**data, 'inputs': stack_clips(clips)}, training)
        return {**batch, 'inputs': batch['inputs'].transpose(0, 1)}


def split_time(clip: Tensor, channels: int) -> Tensor:
    """Return a clip ``[T * C, H, W]`` as ``[T, C, H, W]``; let one that has four axes pass."""
    if clip.ndim == 3 and len(clip) % channels == 0:
        return clip.unflatten(0, (-1, channels))
    if clip.ndim == 4 and clip.shape[1] == channels:
        return clip
    raise ValueError(f'A clip must be [T * {channels}, H, W] or [T, {channels}, H, W], as `channels={channels}` of the '
                     f'data preprocessor says, but got {tuple(clip.shape)}.')


def stack_clips(clips: list[Tensor]) -> Tensor:
    """Stack clips ``[T, C, H, W]`` to ``[B, T, C, H, W]``, with empty steps and pixels behind the shorter ones."""
    shapes = torch.tensor([clip.shape for clip in clips])
    T, _, height, width = shapes.max(0).values.tolist()
    if (shapes == shapes[0]).all():
        return torch.stack(clips)
    return torch.stack([
        F.pad(clip, (0, width - clip.shape[3], 0, height - clip.shape[2], 0, 0, 0, T - clip.shape[0]))
        for clip in clips])
