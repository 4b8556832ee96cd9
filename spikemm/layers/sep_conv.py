"""Inverted separable convolution, the token mixer of the convolutional SNN block."""

from torch import Tensor, nn

from spikemm.neurons import build_neuron

from .conv import ConvBN, DepthwiseConv
from .time import over_time


class SepConv(nn.Module):
    """Pointwise, depthwise and pointwise convolution; Eq. (9) of `Spike-driven Transformer V2
    <https://arxiv.org/abs/2404.03663>`_ without its first neuron, which the shortcut owns.

    As in the released code there is a batch norm after each pointwise convolution (Eq. (9) omits it), and neither norm
    nor neuron between the depthwise and the second pointwise one, which therefore meets real numbers until
    ``reparameterize(mode='spike')`` merges the two.

    Args:
        in_channels: Channels of the input and output ``[T, B, C, H, W]``.
        neuron: Config of the neuron.
        ratio: Expansion of the hidden channels.
        kernel_size: Kernel of the depthwise convolution.
    """

    def __init__(self, in_channels: int, neuron: dict, *, ratio: int = 2, kernel_size: int = 7) -> None:
        super().__init__()
        hidden = ratio * in_channels
        self.pw1 = ConvBN(in_channels, hidden)
        self.neuron = build_neuron(neuron)
        self.dw = DepthwiseConv(hidden, kernel_size)
        self.pw2 = ConvBN(hidden, in_channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.pw2(over_time(self.dw, self.pw1(x, self.neuron)))
