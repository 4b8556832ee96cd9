"""Re-parameterisable convolution of spike-driven self-attention."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .fire import norm_fire
from .time import over_time


class RepConvBN(nn.Module):
    """1x1 convolution, norm, depthwise 3x3, 1x1, norm, norm: in evaluation one dense 3x3 convolution.

    The depthwise convolution is padded with what the norm before it makes of zero, so that the whole equals a zero
    padded 3x3 convolution exactly. As in the released code of `Spike-driven Transformer V2
    <https://arxiv.org/abs/2404.03663>`_ the padding uses the running statistics, in training after their update, and
    carries no gradient.

    Args:
        in_channels: Channels of the input ``[T, B, C, H, W]``.
        out_channels: Channels of the output.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, in_channels, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(in_channels)
        self.dw = nn.Conv2d(in_channels, in_channels, 3, groups=in_channels, bias=False)
        self.pw = nn.Conv2d(in_channels, out_channels, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.bn = nn.BatchNorm2d(out_channels)

    @torch.no_grad()
    def padding(self) -> Tensor:
        """What ``bn1`` makes of zero, ``[C]``."""
        bn = self.bn1
        return bn.bias - bn.running_mean * bn.weight / (bn.running_var + bn.eps).sqrt()

    def forward(self, x: Tensor, neuron: nn.Module | None = None) -> Tensor:
        """The convolution, then ``neuron`` if one is given: told of it, training needs less memory."""
        return norm_fire(self.bn, neuron, over_time(self._inner, x))

    def _inner(self, x: Tensor) -> Tensor:
        x = self.bn1(self.conv(x))
        # Padding with p is padding x - p with zero, and p times the sum of the kernel added everywhere.
        pad = self.padding()
        x = F.conv2d(
            x - pad[:, None, None], self.dw.weight, pad * self.dw.weight.sum((1, 2, 3)), 1, 1, 1, self.dw.groups
        )
        return self.bn2(self.pw(x))
