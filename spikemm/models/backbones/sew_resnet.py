"""SEW-ResNet, the residual network whose shortcuts join spikes."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from torch import Tensor, nn

from spikemm.layers import ConvBN, over_time
from spikemm.neurons import build_neuron
from spikemm.registry import MODELS

from .base import SpikingBackbone

EXPANSION = 4  # of the channels by the last convolution of a bottleneck


@dataclass(frozen=True)
class Arch:
    """Sizes of a SEW-ResNet.

    Args:
        depths: Blocks of each stage.
        widths: Channels of the 3x3 convolutions of each stage; a stage's output has 4 times as many with bottlenecks.
        strides: Stride of the first block of each stage.
        bottleneck: Whether a block is 1x1, 3x3 and 1x1 (else 3x3 and 3x3).
        stem_pool: Whether a max pooling follows the stem, which then has a stride of 4 instead of 2.
    """

    depths: Sequence[int]
    widths: Sequence[int] = (64, 128, 256, 512)
    strides: Sequence[int] = (1, 2, 2, 2)
    bottleneck: bool = False
    stem_pool: bool = True

    def __post_init__(self) -> None:
        if len({len(x) for x in (self.depths, self.widths, self.strides)}) != 1:
            raise ValueError(f'depths, widths and strides must be equally long, but got {self}.')
        if min(self.depths) < 1:
            raise ValueError(f'depths must be at least 1, but got {self.depths!r}.')


# How the spikes of a branch ``a`` and of the shortcut ``s`` are joined: the functions g of the paper, Sec. 3.3.
CONNECT = {
    'add': lambda a, s: a + s,
    'and': lambda a, s: a * s,
    'iand': lambda a, s: (1 - a) * s,
}


class ConvFire(nn.Module):
    """Convolution, norm and neuron, ``[T, B, C, H, W]``.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Odd.
        neuron: Config of the neuron.
        stride: Stride of the convolution.
        pool: Whether a max pooling of the spikes halves the map.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, neuron: dict, *, stride: int = 1,
        pool: bool = False,
    ) -> None:
        super().__init__()
        self.conv = ConvBN(in_channels, out_channels, kernel_size, stride=stride)
        self.neuron = build_neuron(neuron)
        self.pool = nn.MaxPool2d(3, 2, 1) if pool else None

    def forward(self, x: Tensor) -> Tensor:
        return self._pooled(self.conv(x, self.neuron))

    def forward_image(self, x: Tensor, T: int) -> Tensor:
        """A still image ``[B, ...]`` as a stem sees it ``T`` times, ``[T, B, ...]``."""
        return self._pooled(self.neuron(self.conv.forward_image(x, T)))

    def _pooled(self, x: Tensor) -> Tensor:
        return x if self.pool is None else over_time(self.pool, x)


class SEWBlock(nn.Module):
    """Residual block whose ends are spikes, Sec. 3.3 of `Deep Residual Learning in Spiking Neural Networks
    <https://arxiv.org/abs/2102.04159>`_: ``g(branch(x), shortcut(x))``.

    Args:
        branch: Maps ``[T, B, C, H, W]`` to spikes.
        shortcut: Maps it to spikes of the same shape; None is the identity.
        connect: 'add', 'and' or 'iand'.
    """

    def __init__(self, branch: nn.Module, shortcut: nn.Module | None, connect: str) -> None:
        super().__init__()
        self.branch = branch
        self.shortcut = shortcut
        self.connect = connect

    def forward(self, x: Tensor) -> Tensor:
        return CONNECT[self.connect](self.branch(x), x if self.shortcut is None else self.shortcut(x))

    def extra_repr(self) -> str:
        return f'connect={self.connect!r}'


@MODELS.register_module()
class SEWResNet(SpikingBackbone):
    """SEW-ResNet of `Deep Residual Learning in Spiking Neural Networks <https://arxiv.org/abs/2102.04159>`_.

    Every neuron stands behind a norm, and the spikes of a block's branch and of its shortcut are joined element by
    element. **Outputs are sums of spikes**, integers from 0 on, with ``connect='add'``, else spikes: the head needs no
    neuron in front of its linear layer (``neuron=None``), and neurons of necks and heads should not halve their input
    (``decay_input=False``), or they miss single spikes. With integers the weight layers of all blocks but the first of
    the network accumulate more than once a time step: the price of the identity mapping.

    As in the released code a bottleneck has its stride in the 3x3 convolution. Its neurons come from an extension of
    SpikingJelly that is no longer distributed; our surrogate function is the one of SpikingJelly's own example of this
    network.

    Args:
        arch: '18', '34', '50', '101', '152', the small 'nano', or a dict with the fields of :class:`Arch`, which may
            name a preset to start from.
        neuron: Config of every neuron.
        connect: How spikes are joined: 'add'; 'and', their product; or 'iand', spikes of the shortcut where the branch
            is silent.
        residual_init: Weight that the last norm of every branch starts with. 0, an option of the released code, makes
            every block the identity that has no convolution in its shortcut; with 'and' its bias starts at
            ``1 - residual_init`` for that.
        **kwargs: ``T``, ``in_channels``, ``out_indices``, ``time_reduction``, ``frozen_stages``, ``norm_eval``,
            ``with_cp`` and ``init_cfg`` of :class:`SpikingBackbone`.
    """

    ARCHS = {
        'nano': Arch((1, 1, 1, 1), widths=(16, 32, 64, 96), strides=(1, 2, 2, 1), stem_pool=False),
        '18': Arch((2, 2, 2, 2)),
        '34': Arch((3, 4, 6, 3)),
        '50': Arch((3, 4, 6, 3), bottleneck=True),
        '101': Arch((3, 4, 23, 3), bottleneck=True),
        '152': Arch((3, 8, 36, 3), bottleneck=True),
    }

    def __init__(
        self,
        arch: str | dict = '18',
        *,
        neuron: dict = dict(type='IF', surrogate=dict(type='ATan', alpha=2.0)),
        connect: str = 'add',
        residual_init: float = 1.0,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        if connect not in CONNECT:
            raise ValueError(f'connect must be one of {sorted(CONNECT)}, but got {connect!r}.')
        self.arch = self.resolve(arch)
        self.neuron, self.connect, self.residual_init = neuron, connect, residual_init
        widths, strides = self.arch.widths, self.arch.strides
        stem = ConvFire(self.in_channels, widths[0], 7, neuron, stride=2, pool=self.arch.stem_pool)
        self.stages = nn.ModuleList()
        in_channels = widths[0]
        for i, depth in enumerate(self.arch.depths):
            stage = nn.ModuleList([stem] if i == 0 else [])
            for j in range(depth):
                block = self.build_block(in_channels, widths[i], strides[i] if j == 0 else 1)
                stage.append(block)
                in_channels = widths[i] * (EXPANSION if self.arch.bottleneck else 1)
            self.stages.append(stage)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode='fan_out', nonlinearity='relu')
        self.stage_channels = tuple(w * (EXPANSION if self.arch.bottleneck else 1) for w in widths)
        stem_stride = 4 if self.arch.stem_pool else 2
        self.stage_strides = tuple(accumulate(strides, lambda a, b: a * b, initial=stem_stride))[1:]
        self.finish()

    def build_block(self, in_channels: int, width: int, stride: int) -> SEWBlock:
        neuron = self.neuron
        if self.arch.bottleneck:
            out_channels = EXPANSION * width
            branch = nn.Sequential(
                ConvFire(in_channels, width, 1, neuron),
                ConvFire(width, width, 3, neuron, stride=stride),
                ConvFire(width, out_channels, 1, neuron))
        else:
            out_channels = width
            branch = nn.Sequential(
                ConvFire(in_channels, width, 3, neuron, stride=stride),
                ConvFire(width, width, 3, neuron))
        last = branch[-1].conv.bn
        nn.init.constant_(last.weight, self.residual_init)
        nn.init.constant_(last.bias, 1 - self.residual_init if self.connect == 'and' else 0.0)
        same = stride == 1 and in_channels == out_channels
        shortcut = None if same else ConvFire(in_channels, out_channels, 1, neuron, stride=stride)
        return SEWBlock(branch, shortcut, self.connect)
