"""Spikformer V2: a spiking convolutional stem and spiking self-attention."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from spikemm.layers import SSA, ConvBN, MembraneShortcut, SpikingMLP
from spikemm.neurons import build_neuron
from spikemm.registry import MODELS

from .base import SpikingBackbone

STEM_WIDTHS = (8, 4, 2, 1)  # what the width of the blocks is divided by, one a stage of the stem


@dataclass(frozen=True)
class Arch:
    """Sizes of a Spikformer V2.

    Args:
        embed_dims: Channels of the blocks; the stem's stages have an eighth, a quarter, a half, and all of them.
        depth: Blocks.
        num_heads: Heads of every block.
        mlp_ratio: Expansion of the channel mixing in stem and blocks.
        strides: Stride of every stage of the stem, 1 or 2.
    """

    embed_dims: int
    depth: int
    num_heads: int = 8
    mlp_ratio: int = 4
    strides: Sequence[int] = (2, 2, 2, 2)

    def __post_init__(self) -> None:
        if self.embed_dims % 8 or self.embed_dims % self.num_heads:
            raise ValueError(f'embed_dims must be divisible by 8 and by num_heads, but got {self}.')
        if len(self.strides) != len(STEM_WIDTHS) or not set(self.strides) <= {1, 2}:
            raise ValueError(f'strides must be {len(STEM_WIDTHS)} numbers, each 1 or 2, but got {self.strides!r}.')
        if self.depth < 1:
            raise ValueError(f'depth must be a positive number of blocks, but got {self.depth!r}.')


class PatchEmbed(nn.Module):
    """Convolution of patches that do not overlap, and its norm; in front of it a neuron, but not on the image.

    Args:
        in_channels: Channels of the input ``[T, B, C, H, W]``, or of an image ``[B, C, H, W]``.
        out_channels: Channels of the output.
        stride: Side of a patch, 1 or 2 pixels of the input; zeros complete the patches at the right and the bottom.
        neuron: Neuron in front of the convolution.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int, *, neuron: nn.Module | None = None) -> None:
        super().__init__()
        self.neuron = neuron
        self.conv = ConvBN(in_channels, out_channels, stride, stride=stride)
        self.stride = stride

    def complete(self, x: Tensor) -> Tensor:
        """Complete the patches: sizes become multiples of the stride."""
        height, width = (-side % self.stride for side in x.shape[-2:])
        return F.pad(x, (0, width, 0, height)) if height or width else x

    def forward(self, x: Tensor) -> Tensor:
        x = self.complete(x)
        return self.conv(x if self.neuron is None else self.neuron(x))

    def forward_image(self, x: Tensor, T: int) -> Tensor:
        """A still image ``[B, ...]`` as a stem sees it ``T`` times, ``[T, B, ...]``."""
        return self.conv.forward_image(self.complete(x), T)


@MODELS.register_module()
class SpikformerV2(SpikingBackbone):
    """Spikformer V2 of `Spikformer V2: Join the High Accuracy Club on ImageNet with an SNN Ticket
    <https://arxiv.org/abs/2401.02020>`_: a spiking convolutional stem (SCS), then blocks of spiking self-attention.

    The authors published no code. What is built here follows from the paper's sizes: four stages at D/8, D/4, D/2 and
    D, each a convolution of patches of 2 x 2 with its norm and one block of two 3x3 convolutions with expansion 4, and
    blocks of linear SSA and a linear MLP, have the 29.11 M (8-384) and 51.55 M (8-512) parameters of its tables to
    the digit, and 172.3 M (16-768), where the paper prints 172.70 M. The sources at hand do not settle where the
    shortcuts and neurons are; they are taken as in Spike-driven Transformers: membrane shortcuts, a neuron in front of
    every weight layer but the first. So every weight layer but the first meets spikes, and the outputs are membrane
    potentials.

    Args:
        arch: '8-384', '8-512', '16-768', the small 'nano', or a dict with the fields of :class:`Arch`, which may name
            a preset to start from: ``dict(preset='nano', strides=(2, 2, 1, 1))``.
        neuron: Config of every neuron.
        residual_init: Weight that the last norm of every residual branch starts with; below 1 a network begins shallow
            and learns faster from scratch.
        drop_path_rate: Probability of skipping the last residual branch; it grows linearly from 0 at the first block.
        **kwargs: ``T``, ``in_channels``, ``out_indices``, ``time_reduction``, ``frozen_stages``, ``norm_eval``,
            ``with_cp`` and ``init_cfg`` of :class:`SpikingBackbone`. The four stages are those of the stem; the last
            one includes the blocks.
    """

    ARCHS = {
        'nano': Arch(96, 2, num_heads=4, strides=(2, 2, 2, 1)),
        '8-384': Arch(384, 8),
        '8-512': Arch(512, 8),
        '16-768': Arch(768, 16),
    }

    def __init__(
        self,
        arch: str | dict = '8-384',
        *,
        neuron: dict = dict(type='LIF'),
        residual_init: float = 1.0,
        drop_path_rate: float = 0.0,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        if not 0.0 <= drop_path_rate < 1.0:
            raise ValueError(f'drop_path_rate must be in [0, 1), but got {drop_path_rate!r}.')
        self.arch = self.resolve(arch)
        self.neuron, self.residual_init = neuron, residual_init
        self.stages = nn.ModuleList()
        width, arch = self.in_channels, self.arch
        for i, (part, stride) in enumerate(zip(STEM_WIDTHS, arch.strides, strict=True)):
            before, width = width, arch.embed_dims // part
            embed = PatchEmbed(before, width, stride, neuron=build_neuron(neuron) if i else None)
            mixing = SpikingMLP(width, neuron, ratio=arch.mlp_ratio, kernel_size=3, bias=False)
            self.stages.append(nn.ModuleList([embed, self._shortcut(mixing)]))
        rates = [drop_path_rate * j / max(arch.depth - 1, 1) for j in range(arch.depth)]
        self.stages[-1].extend(self.build_block(rate) for rate in rates)
        self.stage_channels = tuple(arch.embed_dims // part for part in STEM_WIDTHS)
        self.stage_strides = tuple(math.prod(arch.strides[: i + 1]) for i in range(len(STEM_WIDTHS)))
        self.finish()

    def build_block(self, drop_path: float) -> nn.Sequential:
        """Spiking self-attention and channel mixing."""
        arch = self.arch
        attention = SSA(arch.embed_dims, arch.num_heads, self.neuron)
        mixing = SpikingMLP(arch.embed_dims, self.neuron, ratio=arch.mlp_ratio)
        return nn.Sequential(self._shortcut(attention, drop_path), self._shortcut(mixing, drop_path))

    def _shortcut(self, branch: nn.Module, drop_path: float = 0.0) -> MembraneShortcut:
        *_, last_norm = (module for module in branch.modules() if isinstance(module, nn.BatchNorm2d))
        nn.init.constant_(last_norm.weight, self.residual_init)
        return MembraneShortcut(branch, self.neuron, drop_path=drop_path)

    def get_layer_depth(self, param_name: str, prefix: str = '') -> tuple[int, int]:
        """Depth of a parameter, and the number of depths, for layer-wise decay of the learning rate.

        The stem has depth 0, block ``i`` depth ``i + 1``, and what is not in the backbone is the deepest.

        Args:
            param_name: Name of the parameter in the whole model.
            prefix: What the backbone's names begin with there.
        """
        depths = self.arch.depth + 2
        if not param_name.startswith(prefix):
            return depths - 1, depths
        _, stage, entry, *_ = param_name.removeprefix(prefix).split('.')  # stages.3.2.0.branch...
        in_stem = int(stage) < len(self.stages) - 1 or int(entry) < 2
        return (0 if in_stem else int(entry) - 1), depths
