"""MS-ResNet and Att-MS-ResNet: residual networks whose shortcuts carry membrane potentials."""

import math
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from spikemm.layers import CSA, ConvBN, MembraneShortcut, OverTime, over_time
from spikemm.neurons import build_neuron
from spikemm.registry import MODELS

from .base import SpikingBackbone

# h[t] = v[t-1] / 4 + x[t], spikes where h > 0.5. Our neurons fire at h >= v_threshold: this is the next float32.
NEURON = dict(
    type='LIF', tau=4 / 3, v_threshold=0.5 + 2**-24, decay_input=False, surrogate=dict(type='Rect', alpha=1.0)
)


@dataclass(frozen=True)
class Arch:
    """Sizes of an MS-ResNet, one entry a stage.

    Args:
        depths: Blocks; the first of a stage changes width and size.
        channels: Channels; the stem has those of the first stage.
        strides: Stride of the first block.
        stem_kernels: Kernels of the stem's convolutions, one after the other without neurons, with a norm behind the
            last. Where there are several they have biases, as published.
        stem_stride: Stride of the first of them.
        pooled: Whether a shortcut halves its map by averaging in front of its convolution, not by the convolution.
    """

    depths: Sequence[int]
    channels: Sequence[int] = (64, 128, 256, 512)
    strides: Sequence[int] = (2, 2, 2, 2)
    stem_kernels: Sequence[int] = (7,)
    stem_stride: int = 2
    pooled: bool = False

    def __post_init__(self) -> None:
        if len({len(x) for x in (self.depths, self.channels, self.strides)}) != 1:
            raise ValueError(f'depths, channels and strides must be equally long, but got {self}.')
        if not all(depth > 0 for depth in self.depths):
            raise ValueError(f'depths must be positive, but got {self.depths!r}.')
        if not self.stem_kernels:
            raise ValueError(f'stem_kernels must name a kernel at least, but got {self.stem_kernels!r}.')


class Stem(nn.Module):
    """Convolutions on the image, the first with a stride, and a norm behind the last.

    Args:
        in_channels: Channels of the input ``[T, B, C, H, W]``, or of an image ``[B, C, H, W]``.
        out_channels: Channels of the output and in between.
        kernels: Kernel of each convolution, odd.
        stride: Stride of the first.
    """

    def __init__(self, in_channels: int, out_channels: int, kernels: Sequence[int], *, stride: int) -> None:
        super().__init__()
        *plain, last = kernels
        self.convs = nn.ModuleList()
        for k in plain:
            conv = nn.Conv2d(in_channels, out_channels, k, stride, k // 2)
            self.convs.append(nn.Sequential(OrderedDict(conv=conv)))  # named as in the layer with a norm
            in_channels, stride = out_channels, 1
        self.convs.append(ConvBN(in_channels, out_channels, last, stride=stride, bias=bool(plain)))

    def forward(self, x: Tensor) -> Tensor:
        *plain, last = self.convs
        for conv in plain:
            x = over_time(conv, x)
        return last(x)

    def forward_image(self, x: Tensor, T: int) -> Tensor:
        """A still image ``[B, ...]`` as a stem sees it ``T`` times, ``[T, B, ...]``."""
        *plain, last = self.convs
        for conv in plain:
            x = conv(x)
        return last.forward_image(x, T)


class ResidualBranch(nn.Module):
    """Two convolutions with norms and a neuron between them; the shortcut owns the neuron in front.

    Args:
        in_channels: Channels of the input ``[T, B, C, H, W]``, spikes.
        out_channels: Channels of the output, membrane potentials.
        neuron: Config of the neuron.
        stride: Stride of the first convolution.
        kernel_size: Kernel of both convolutions, odd.
        hidden_channels: Channels between them, by default those of the output.
        attention: Layer behind the second norm.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        neuron: dict,
        *,
        stride: int = 1,
        kernel_size: int = 3,
        hidden_channels: int | None = None,
        attention: nn.Module | None = None,
    ) -> None:
        super().__init__()
        hidden_channels = out_channels if hidden_channels is None else hidden_channels
        self.conv1 = ConvBN(in_channels, hidden_channels, kernel_size, stride=stride)
        self.neuron = build_neuron(neuron)
        self.conv2 = ConvBN(hidden_channels, out_channels, kernel_size)
        self.attention = attention

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv2(self.conv1(x, self.neuron))
        return x if self.attention is None else self.attention(x)


class ProjectionShortcut(MembraneShortcut):
    """A membrane shortcut that changes width or size: a projection of the membrane potentials is added to the branch.

    Args:
        branch: Maps spikes ``[T, B, C, H, W]`` to membrane potentials.
        neuron: Config of the neuron in front of the branch.
        projection: Maps membrane potentials to the branch's shape. No neuron comes before its convolution.
        drop_path: Probability that a sample skips the branch in training, at all of its time steps.
    """

    def __init__(self, branch: nn.Module, neuron: dict, projection: nn.Module, *, drop_path: float = 0.0) -> None:
        super().__init__(branch, neuron, drop_path=drop_path)
        self.projection = projection

    def forward(self, x: Tensor) -> Tensor:
        return self.projection(x) + self.keep(self.branch(self.neuron(x)), rescale=True)


def init_norms(net: nn.Module, neuron: dict, residual_init: float) -> None:
    """Start the norms of ``net`` at the neuron's threshold, the last of every residual branch at ``residual_init``."""
    start = neuron.get('v_threshold', 1.0)
    for norm in (m for m in net.modules() if isinstance(m, nn.BatchNorm2d)):
        nn.init.constant_(norm.weight, start)
    for branch in (m for m in net.modules() if isinstance(m, ResidualBranch)):
        nn.init.constant_(branch.conv2.bn.weight, residual_init)


@MODELS.register_module()
class MSResNet(SpikingBackbone):
    """MS-ResNet of `Advancing Spiking Neural Networks towards Deep Residual Learning
    <https://arxiv.org/abs/2112.08954>`_: neurons stand before the convolutions, shortcuts carry membrane potentials.

    The outputs are membrane potentials. The defaults are what the released code has. Where a shortcut changes width or
    size, a convolution reads membrane potentials; Table 1 of `Spike-driven Transformer V2
    <https://arxiv.org/abs/2404.03663>`_ calls the network spike-driven all the same, our audit does not.

    Norms start at the neuron's threshold, as released.

    Args:
        arch: '18', '34', '104', the small 'nano', or a dict with the fields of :class:`Arch`, which may name a preset
            to start from: ``dict(preset='34', channels=(32, 64, 128, 256))``.
        neuron: Config of every neuron, by default the released one, which fires above 0.5 and keeps a quarter of its
            potential.
        residual_init: Weight that the last norm of every residual branch starts with.
        drop_path_rate: Probability of skipping the last residual branch; it grows linearly from 0 at the first block.
        **kwargs: ``T``, ``in_channels``, ``out_indices``, ``time_reduction``, ``frozen_stages``, ``norm_eval``,
            ``with_cp`` and ``init_cfg`` of :class:`SpikingBackbone`.
    """

    ARCHS = {
        'nano': Arch((1, 1, 1, 1), (16, 32, 64, 96), (2, 2, 2, 1), stem_kernels=(3,), stem_stride=1),
        '18': Arch((2, 2, 2, 2)),
        '34': Arch((3, 4, 6, 3)),
        '104': Arch((3, 8, 32, 8), stem_kernels=(3, 3, 3), pooled=True),
    }

    def __init__(
        self,
        arch: str | dict = '34',
        *,
        neuron: dict = NEURON,
        residual_init: float = 0.0,
        drop_path_rate: float = 0.0,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        if not 0.0 <= drop_path_rate < 1.0:
            raise ValueError(f'drop_path_rate must be in [0, 1), but got {drop_path_rate!r}.')
        self.arch = arch = self.resolve(arch)
        self.neuron = neuron
        self.stages = nn.ModuleList()
        width, built, steps = arch.channels[0], 0, max(sum(arch.depths) - 1, 1)
        for i, depth in enumerate(arch.depths):
            rates = [drop_path_rate * (built + j) / steps for j in range(depth)]
            blocks = [self.build_block(width, i, arch.strides[i], rates[0])]
            blocks += [self.build_block(arch.channels[i], i, 1, rate) for rate in rates[1:]]
            if i == 0:
                blocks.insert(0, Stem(self.in_channels, width, arch.stem_kernels, stride=arch.stem_stride))
            self.stages.append(nn.ModuleList(blocks))
            width, built = arch.channels[i], built + depth
        self.stage_channels = tuple(arch.channels)
        self.stage_strides = tuple(arch.stem_stride * math.prod(arch.strides[: i + 1]) for i in range(len(arch.depths)))
        init_norms(self, neuron, residual_init)
        self.finish()

    def build_block(self, in_channels: int, i: int, stride: int, drop_path: float) -> MembraneShortcut:
        """A block of stage ``i``."""
        width = self.arch.channels[i]
        branch = ResidualBranch(
            in_channels, width, self.neuron, stride=stride, attention=self.build_attention(width)
        )
        if stride == 1 and in_channels == width:
            return MembraneShortcut(branch, self.neuron, drop_path=drop_path)
        projection, pooled = nn.Sequential(), self.arch.pooled and stride > 1
        if pooled:
            projection.add_module('pool', OverTime(nn.AvgPool2d(stride, ceil_mode=True)))
        projection.add_module('conv', ConvBN(in_channels, width, stride=1 if pooled else stride))
        return ProjectionShortcut(branch, self.neuron, projection, drop_path=drop_path)

    def build_attention(self, channels: int) -> nn.Module | None:
        """What a residual branch ends with, behind its last norm."""
        return None


@MODELS.register_module()
class AttMSResNet(MSResNet):
    """Att-MS-ResNet of `Attention Spiking Neural Networks <https://arxiv.org/abs/2209.13929>`_: MS-ResNet whose
    residual branches end with channel and spatial attention, :class:`~spikemm.layers.CSA`.

    Its gates multiply membrane potentials by real numbers, so it is not spike-driven. The outputs are membrane
    potentials, to which a branch can only add. As released, shortcuts halve their maps by averaging at every depth.

    Args:
        arch: '18', '34', '104', the small 'nano', or a dict as for :class:`MSResNet`.
        residual_init: Weight that the last norm of every residual branch starts with; above 0, as a branch that starts
            at 0 gets no gradient through the ReLU at its end.
        **kwargs: The other arguments of :class:`MSResNet`.
    """

    ARCHS = {
        'nano': Arch((1, 1, 1, 1), (16, 32, 64, 96), (2, 2, 2, 1), stem_kernels=(3,), stem_stride=1, pooled=True),
        '18': Arch((2, 2, 2, 2), pooled=True),
        '34': Arch((3, 4, 6, 3), pooled=True),
        '104': Arch((3, 8, 32, 8), pooled=True),
    }

    def __init__(self, arch: str | dict = '34', *, residual_init: float = 0.1, **kwargs) -> None:
        if not residual_init > 0:
            raise ValueError(f'residual_init must be positive, but got {residual_init!r}.')
        super().__init__(arch, residual_init=residual_init, **kwargs)

    def build_attention(self, channels: int) -> CSA:
        return CSA(channels)
