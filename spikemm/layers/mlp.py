"""Two-layer channel mixing of a spiking block."""

from torch import Tensor, nn

from spikemm.neurons import build_neuron

from .conv import ConvBN


class SpikingMLP(nn.Module):
    """Channel mixing with one hidden layer, without its first neuron, which the shortcut owns.

    ``kernel_size=1`` with a bias is ChannelMLP, Eq. (14) of `Spike-driven Transformer V2
    <https://arxiv.org/abs/2404.03663>`_; ``kernel_size=3`` without is ChannelConv, Eq. (10).

    Args:
        in_channels: Channels of the input and output ``[T, B, C, H, W]``.
        neuron: Config of the neuron.
        ratio: Expansion of the hidden channels.
        kernel_size: Kernel of both convolutions.
        bias: Whether they have a bias.
    """

    def __init__(
        self, in_channels: int, neuron: dict, *, ratio: int = 4, kernel_size: int = 1, bias: bool = True
    ) -> None:
        super().__init__()
        self.fc1 = ConvBN(in_channels, ratio * in_channels, kernel_size, bias=bias)
        self.neuron = build_neuron(neuron)
        self.fc2 = ConvBN(ratio * in_channels, in_channels, kernel_size, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(self.fc1(x, self.neuron))
