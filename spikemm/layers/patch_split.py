"""Spiking patch splitting, the stem of the first spiking transformers."""

from torch import Tensor, nn

from .conv import ConvBN
from .time import over_time


class PatchSplit(nn.Module):
    """One stage of spiking patch splitting (SPS) of `Spikformer <https://arxiv.org/abs/2209.15425>`_: a 3x3 convolution
    with its norm, a neuron, and a max pooling that halves the map.

    Args:
        in_channels: Channels of the input ``[T, B, C, H, W]``, or of an image ``[B, C, H, W]``.
        out_channels: Channels of the output.
        neuron: Neuron between norm and pooling; without it the pooling reads membrane potentials.
        pool: Whether the map is halved (rounded up).
    """

    def __init__(self, in_channels: int, out_channels: int, *, neuron: nn.Module | None = None, pool: bool) -> None:
        super().__init__()
        self.conv = ConvBN(in_channels, out_channels, 3)
        self.neuron = neuron
        self.pool = nn.MaxPool2d(3, 2, 1) if pool else None

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x, self.neuron)
        return x if self.pool is None else over_time(self.pool, x)

    def forward_image(self, x: Tensor, T: int) -> Tensor:
        """A still image ``[B, ...]`` as a stem sees it ``T`` times, ``[T, B, ...]``."""
        x = self.conv.forward_image(x, T)
        x = x if self.neuron is None else self.neuron(x)
        return x if self.pool is None else over_time(self.pool, x)
