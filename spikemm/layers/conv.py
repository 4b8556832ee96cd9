"""Convolution and batch norm over a spike sequence."""

import torch.nn.functional as F
from torch import Tensor, nn

from spikemm.ops.depthwise import depthwise_conv2d

from .fire import norm_fire
from .time import over_time, repeat_over_time


class StridedPointwiseConv(nn.Conv2d):
    """1x1 convolution with a stride: it drops what the stride skips, then convolves the rest.

    The same sums as of torch's, whose backward on CPU (oneDNN, torch 2.11) writes beyond its memory for fewer than 16
    channels that are stored together, and crashes the process sooner or later.
    """

    def forward(self, x: Tensor) -> Tensor:
        rows, columns = self.stride
        return F.conv2d(x[..., ::rows, ::columns], self.weight, self.bias)


class ConvBN(nn.Module):
    """Convolution and batch norm; batch norm sees ``T*B*H*W`` samples a channel.

    Args:
        in_channels: Channels of the input ``[T, B, C, H, W]``.
        out_channels: Channels of the output.
        kernel_size: Odd; the padding keeps the size at stride 1. Even ones, as of patches, have a row less in front.
        stride: Stride of the convolution.
        bias: Whether the convolution has a bias (redundant before a batch norm, but published weights have some).
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int = 1, *, stride: int = 1, bias: bool = False
    ) -> None:
        super().__init__()
        kind = StridedPointwiseConv if kernel_size == 1 and stride > 1 else nn.Conv2d
        self.conv = kind(in_channels, out_channels, kernel_size, stride, (kernel_size - 1) // 2, bias=bias)
        self.bn = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor, neuron: nn.Module | None = None) -> Tensor:
        """Convolution and norm, then ``neuron`` if one is given: told of it, training needs less memory."""
        return norm_fire(self.bn, neuron, over_time(self.conv, x))

    def forward_image(self, x: Tensor, T: int) -> Tensor:
        """A still image is the same at every step: compute it once and repeat it, ``[B, ...]`` -> ``[T, B, ...]``.

        The running variance is unbiased over its samples, which the reference counts ``T`` times; so is ours here.
        """
        bn = self.bn
        before = None if bn.running_var is None else bn.running_var.clone()
        x = bn(self.conv(x))
        if bn.training and before is not None and T > 1:
            n, kept = x.numel() // x.shape[1], 1.0 - (bn.momentum or 0.0)
            unbiased = (n - 1) / n * (T * n) / (T * n - 1)
            # .data: the backward of a training batch norm saves the running variance, but does not read it.
            bn.running_var.data.copy_(kept * before + (bn.running_var - kept * before) * unbiased)
        return repeat_over_time(x, T)


class DepthwiseConv(nn.Conv2d):
    """Depthwise convolution ``[N, C, H, W]`` of stride 1 that keeps the size; its weight gradient is ours on CPU.

    Args:
        channels: Channels of the input and output.
        kernel_size: Odd.
    """

    def __init__(self, channels: int, kernel_size: int) -> None:
        super().__init__(channels, channels, kernel_size, padding=kernel_size // 2, groups=channels, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return depthwise_conv2d(x, self.weight, self.bias, self.padding[0])


class Downsample(nn.Module):
    """Strided convolution and batch norm between two stages, with a neuron before it (membranes flow), after it (spikes
    flow) or, for the image, none before.

    Args:
        in_channels: Channels of the input ``[T, B, C, H, W]``, or of an image ``[B, C, H, W]`` for a stem.
        out_channels: Channels of the output.
        kernel_size: Odd; the padding is half of it.
        stride: Stride; the output's size is the input's divided by it, rounded up.
        before: Neuron in front of the convolution.
        after: Neuron behind the norm.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        stride: int,
        before: nn.Module | None = None,
        after: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.before = before
        self.conv = ConvBN(in_channels, out_channels, kernel_size, stride=stride, bias=True)
        self.after = after

    def forward(self, x: Tensor) -> Tensor:
        if self.before is not None:
            x = self.before(x)
        x = self.conv(x)
        return x if self.after is None else self.after(x)

    def forward_image(self, x: Tensor, T: int) -> Tensor:
        """A still image ``[B, ...]`` as a stem sees it ``T`` times, ``[T, B, ...]``."""
        x = self.conv.forward_image(x, T)
        return x if self.after is None else self.after(x)
