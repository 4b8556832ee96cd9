"""Batches of event frames for detectors."""

from collections.abc import Sequence

import torch
from mmdet.models.data_preprocessors import DetDataPreprocessor

from spikemm.models.data_preprocessors.event_cls import check_channels, split_times
from spikemm.registry import MODELS


@MODELS.register_module()
class EventDetDataPreprocessor(DetDataPreprocessor):
    """mmdet's ``DetDataPreprocessor`` for clips of event frames.

    Samples are ``[T * C, H, W]``, as the stock ``PackDetInputs`` makes them, or ``[T, C, H, W]``. They are padded at
    the right and at the bottom, as images are, and reach the model as ``[T, B, C, H, W]``. Images are padded after the
    normalisation, clips before it: a padded pixel is one without events.

    All clips of a batch have the same ``T``. Boxes belong to the end of a clip, and steps added to the shorter ones
    would move either that or the beginning.

    Example::

        data_preprocessor = dict(type='spikemm.EventDetDataPreprocessor', pad_size_divisor=32)

    Args:
        channels: Channels ``C`` of a time step: 2 polarities.
        mean: Mean of each channel, or of all in a list of one; None does not normalise.
        std: Standard deviation, in the same form.
        **kwargs: Arguments of ``DetDataPreprocessor``.

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
        **kwargs,
    ) -> None:
        check_channels(channels, mean, std)
        super().__init__(**kwargs)
        if self._channel_conversion:
            raise ValueError('`bgr_to_rgb` and `rgb_to_bgr` must be False: event frames have no colours.')
        self.channels, self._normalizes = channels, mean is not None
        if self._normalizes:
            self.register_buffer('mean', torch.tensor(mean).view(-1, 1, 1), persistent=False)
            self.register_buffer('std', torch.tensor(std).view(-1, 1, 1), persistent=False)

    def forward(self, data: dict, training: bool = False) -> dict:
        clips = split_times(data['inputs'], self.channels)
        batch = super().forward({**data, 'inputs': [clip.flatten(0, 1) for clip in clips]}, training)
        frames = batch['inputs'].unflatten(1, (-1, self.channels)).transpose(0, 1)
        return {**batch, 'inputs': (frames - self.mean) / self.std if self._normalizes else frames}
