"""Batches of event frames for classifiers."""

from collections.abc import Iterable, Sequence
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
    reach the model as ``[T, B, C, H, W]``. Smaller clips get empty pixels at the right and at the bottom; nothing is
    normalised unless ``mean`` and ``std`` are given, and then a pixel without events is what ``-mean / std`` says.

    All clips of a batch have the same ``T``: with empty steps behind the shorter ones, whose outputs the head averages
    with the others, a prediction would depend on the rest of its batch.

    Example::

        data_preprocessor = dict(type='spikemm.EventDataPreprocessor', num_classes=11)

    Args:
        channels: Channels ``C`` of a time step: 2 polarities.
        batch_augments: As of ``ClsDataPreprocessor``. It is copied, since mmpretrain appends to its ``probs``, and a
            config from which a second model is built, to test after training, would be refused.
        mean: Mean of each channel, or of all in a list of one; None does not normalise.
        std: Standard deviation, in the same form.
        **kwargs: Other arguments of ``ClsDataPreprocessor``.

    Raises:
        ValueError: The channels of a sample are not a multiple of ``channels``, the clips of a batch differ in ``T``,
            or an argument does not fit.
    """

    def __init__(
        self,
        *,
        channels: int = 2,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        batch_augments: dict | None = None,
        **kwargs,
    ) -> None:
        check_channels(channels, mean, std)
        super().__init__(mean=mean, std=std, batch_augments=deepcopy(batch_augments), **kwargs)
        if self.to_rgb:  # which of three time steps would reverse the order
            raise ValueError('`to_rgb` must be False: event frames have no colours.')
        self.channels = channels
        if self.batch_augments is not None:
            adapt_to_clips(self.batch_augments)

    def forward(self, data: dict, training: bool = False) -> dict:
        clips = split_times(self.cast_data(data['inputs']), self.channels)
        batch = super().forward({**data, 'inputs': stack_clips(clips, self.pad_size_divisor, self.pad_value)}, training)
        return {**batch, 'inputs': batch['inputs'].transpose(0, 1)}


def check_channels(channels: int, mean: Sequence[float] | None, std: Sequence[float] | None) -> None:
    """Refuse arguments of a data preprocessor of clips that do not fit together."""
    if not isinstance(channels, int) or isinstance(channels, bool) or channels < 1:
        raise ValueError(f'`channels` must be a positive integer, but got {channels!r}.')
    lengths = [None if numbers is None else len(numbers) for numbers in (mean, std)]
    if lengths not in ([None, None], [1, 1], [channels, channels]):
        raise ValueError(f'`mean` and `std` must both be None or have 1 or {channels} numbers, one for each of '
                         f'`channels`, but got {mean!r} and {std!r}.')


def split_times(clips: Iterable[Tensor], channels: int) -> list[Tensor]:
    """Return the clips of a batch as ``[T, C, H, W]`` each, all of the same ``T``; :func:`split_time` for many."""
    clips = [split_time(clip, channels) for clip in clips]
    lengths = sorted({len(clip) for clip in clips})
    if len(lengths) > 1:
        raise ValueError(f'All clips of a batch must have the same number of time steps, but got {lengths}. Give '
                         'EventFrames a `T`, or the data loader batch_size=1.')
    return clips


def split_time(clip: Tensor, channels: int) -> Tensor:
    """Return a clip ``[T * C, H, W]`` as ``[T, C, H, W]``; let one that has four axes pass."""
    if clip.ndim == 3 and len(clip) % channels == 0:
        return clip.unflatten(0, (-1, channels))
    if clip.ndim == 4 and clip.shape[1] == channels:
        return clip
    raise ValueError(f'A clip must be [T * {channels}, H, W] or [T, {channels}, H, W], as `channels={channels}` of the '
                     f'data preprocessor says, but got {tuple(clip.shape)}.')


def stack_clips(clips: list[Tensor], divisor: int, value: float) -> Tensor:
    """Stack clips ``[T, C, H, W]`` to ``[B, T, C, H, W]``, padded at the right and below to multiples of a divisor."""
    height, width = (-(-max(clip.shape[axis] for clip in clips) // divisor) * divisor for axis in (2, 3))
    return torch.stack([
        F.pad(clip, (0, width - clip.shape[3], 0, height - clip.shape[2]), value=value) for clip in clips])
