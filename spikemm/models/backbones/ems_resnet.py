"""EMS-ResNet, the backbone of EMS-YOLO, and its blocks: a residual network whose convolutions all read spikes."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from spikemm.layers import ConvBN, MembraneShortcut, OverTime
from spikemm.neurons import build_neuron
from spikemm.registry import MODELS

from . import ms_resnet
from .ms_resnet import MSResNet, ProjectionShortcut, ResidualBranch


@dataclass(frozen=True)
class Arch(ms_resnet.Arch):
    """Sizes of an EMS-ResNet: those of an MS-ResNet. A shortcut always halves its map by pooling."""

    pooled: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.pooled:
            raise ValueError(f'pooled must be True in an EMS-ResNet, but got {self.pooled!r}.')


class PoolProjection(nn.Module):
    """Max pooling of the membrane potentials, neuron, 1x1 convolution and norm.

    Args:
        in_channels: Channels of the input ``[T, B, C, H, W]``.
        out_channels: Channels of the output.
        neuron: Config of the neuron.
        stride: Size and stride of the pooling; a border it does not fill is kept.
    """

    def __init__(self, in_channels: int, out_channels: int, neuron: dict, *, stride: int) -> None:
        super().__init__()
        self.pool = OverTime(nn.MaxPool2d(stride, ceil_mode=True)) if stride > 1 else nn.Identity()
        self.neuron = build_neuron(neuron)
        self.conv = ConvBN(in_channels, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(self.neuron(self.pool(x)))


class ConcatProjection(nn.Module):
    """The membrane potentials, behind those of new channels from a neuron, a 1x1 convolution and a norm, max pooled.

    Args:
        in_channels: Channels of the input ``[T, B, C, H, W]``.
        out_channels: Channels of the output, more than those of the input.
        neuron: Config of the neuron.
        stride: Size and stride of the pooling; a border it does not fill is kept.
    """

    def __init__(self, in_channels: int, out_channels: int, neuron: dict, *, stride: int) -> None:
        super().__init__()
        self.neuron = build_neuron(neuron)
        self.conv = ConvBN(in_channels, out_channels - in_channels)
        self.pool = OverTime(nn.MaxPool2d(stride, ceil_mode=True)) if stride > 1 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.pool(torch.cat((self.conv(self.neuron(x)), x), dim=2))


def ems_block(
    in_channels: int,
    out_channels: int,
    neuron: dict,
    *,
    stride: int = 1,
    kernel_size: int = 3,
    hidden_channels: int | None = None,
    shortcut: str = 'maxpool',
    drop_path: float = 0.0,
) -> MembraneShortcut:
    """A residual block of EMS-YOLO; where neither width nor size change, its shortcut is the identity.

    Args:
        in_channels: Channels of the input ``[T, B, C, H, W]``, membrane potentials.
        out_channels: Channels of the output, membrane potentials.
        neuron: Config of every neuron.
        stride: Stride of the residual branch's first convolution, and of the shortcut's pooling.
        kernel_size: Kernel of the residual branch's convolutions, odd.
        hidden_channels: Channels between them, by default those of the output.
        shortcut: 'maxpool' or, used only where channels are added, 'concat'.
        drop_path: Probability that a sample skips the residual branch in training.
    """
    branch = ResidualBranch(
        in_channels, out_channels, neuron, stride=stride, kernel_size=kernel_size, hidden_channels=hidden_channels)
    if stride == 1 and in_channels == out_channels:
        return MembraneShortcut(branch, neuron, drop_path=drop_path)
    kind = ConcatProjection if shortcut == 'concat' and in_channels < out_channels else PoolProjection
    projection = kind(in_channels, out_channels, neuron, stride=stride)
    return ProjectionShortcut(branch, neuron, projection, drop_path=drop_path)


@MODELS.register_module()
class EMSResNet(MSResNet):
    """EMS-ResNet of `Deep Directly-Trained Spiking Neural Networks for Object Detection
    <https://arxiv.org/abs/2307.11411>`_: MS-ResNet with a neuron in front of the convolution of every shortcut, too.

    So every convolution but the stem's reads spikes, while shortcuts carry membrane potentials, which are the outputs.
    The released code pools its maps rounding down, ours round up, as its convolutions do; where a stride divides the
    size they agree. Its time steps are 5, the paper's 4.

    Args:
        arch: '10', '18', '34', the small 'nano', or a dict with the fields of :class:`Arch`, which may name a preset to
            start from. The released '10' has the shortcut 'concat', '18' 'maxpool', '34' comes with either, and the
            published weights with 'concat'.
        shortcut: What a shortcut is that changes width or size: 'maxpool' (pooling, neuron, convolution) or 'concat'
            (new channels from a neuron and a convolution in front of the old ones, pooled; only where a block has more
            channels than the one before, elsewhere as 'maxpool').
        residual_init: Weight that the last norm of every residual branch starts with; the others start at the neuron's
            threshold.
        **kwargs: The other arguments of :class:`MSResNet`.
    """

    ARCHS = {
        'nano': Arch((1, 1, 1, 1), (16, 32, 64, 96), (2, 2, 2, 1), stem_kernels=(3,), stem_stride=1),
        '10': Arch((1, 1, 1, 1)),
        '18': Arch((2, 2, 2, 2)),
        '34': Arch((3, 4, 6, 3)),
    }

    def __init__(
        self, arch: str | dict = '34', *, shortcut: str = 'maxpool', residual_init: float = 0.1, **kwargs
    ) -> None:
        if shortcut not in ('maxpool', 'concat'):
            raise ValueError(f"shortcut must be 'maxpool' or 'concat', but got {shortcut!r}.")
        self.shortcut = shortcut
        super().__init__(arch, residual_init=residual_init, **kwargs)

    def build_block(self, in_channels: int, i: int, stride: int, drop_path: float) -> MembraneShortcut:
        return ems_block(
            in_channels, self.arch.channels[i], self.neuron, stride=stride, shortcut=self.shortcut, drop_path=drop_path)
