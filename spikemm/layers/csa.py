"""Channel and spatial attention on membrane potentials."""

import torch
from torch import Tensor, nn


class CSA(nn.Module):
    """Channel and spatial attention of `Attention Spiking Neural Networks <https://arxiv.org/abs/2209.13929>`_, as
    released: a gate for every channel, then one for every position, then ReLU, so that the output is not negative.

    Both gates are computed from all time steps and are the same at each: a later step changes what an earlier one
    gives. They are real numbers that multiply membrane potentials, hence a network with them is not spike-driven.

    Args:
        channels: Channels of the input and output ``[T, B, C, H, W]``.
        reduction: By what the hidden layer of the channel gate is narrower; it keeps one channel at least.
    """

    needs_whole_sequence = True

    def __init__(self, channels: int, *, reduction: int = 8) -> None:
        super().__init__()
        hidden = max(channels // reduction, 1)
        self.channel = nn.Sequential(
            nn.Conv2d(channels, hidden, 1, bias=False), nn.ReLU(), nn.Conv2d(hidden, channels, 1, bias=False)
        )
        self.spatial = nn.Conv2d(2, 1, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = x * self.channel_gate(x)
        return torch.relu(x * self.spatial_gate(x))

    def channel_gate(self, x: Tensor) -> Tensor:
        """Mean and maximum over time and space through one perceptron, added: ``[B, C, 1, 1]``."""
        mean, highest = x.mean((0, -2, -1)), x.amax((0, -2, -1))
        return sum(self.channel(pooled[..., None, None]) for pooled in (mean, highest)).sigmoid()

    def spatial_gate(self, x: Tensor) -> Tensor:
        """Mean and maximum over time and channels through a 3x3 convolution: ``[B, 1, H, W]``."""
        return self.spatial(torch.stack([x.mean((0, 2)), x.amax((0, 2))], 1)).sigmoid()
