"""Spike-driven Transformer, the first version."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from spikemm.layers import SDSA, ConvBN, MembraneShortcut, PatchSplit, PooledSDSA, SpikingMLP
from spikemm.neurons import build_neuron
from spikemm.registry import MODELS

from .base import SpikingBackbone

STEM_PARTS = (8, 4, 2, 1)  # what the width of the blocks is divided by, one a stage


@dataclass(frozen=True)
class Arch:
    """Sizes of a Spike-driven Transformer.

    Args:
        embed_dims: Channels of the blocks; the four stages of the stem have an eighth, a quarter, a half, and all.
        depth: Blocks.
        num_heads: Heads of every block; they matter with ``pooled_attention`` only.
        mlp_ratio: Expansion of the channel mixing.
        strides: Stride of every stage: 2 halves the map by max pooling, 1 keeps it.
        pooled_attention: Whether the attention spreads spikes by max pooling, for sparse event streams.
    """

    embed_dims: int
    depth: int
    num_heads: int = 8
    mlp_ratio: int = 4
    strides: Sequence[int] = (2, 2, 2, 2)
    pooled_attention: bool = False

    def __post_init__(self) -> None:
        if self.embed_dims % 8 or self.embed_dims % self.num_heads:
            raise ValueError(f'embed_dims must be divisible by 8 and by num_heads, but got {self}.')
        if len(self.strides) != len(STEM_PARTS) or not set(self.strides) <= {1, 2}:
            raise ValueError(f'strides must be {len(STEM_PARTS)} numbers, each 1 or 2, but got {self.strides!r}.')
        if self.depth < 1:
            raise ValueError(f'depth must be a positive number of blocks, but got {self.depth!r}.')


@MODELS.register_module()
class SpikeDrivenTransformer(SpikingBackbone):
    """`Spike-driven Transformer <https://arxiv.org/abs/2307.01694>`_: spiking patch splitting and blocks of SDSA-1.

    The stem is stages 0 to 2 and the beginning of stage 3, which has all blocks. **Stages 0 to 2 return binary spikes,
    stage 3 returns membrane potentials.** The neuron of the published weights halves its input and would never fire on
    spikes: a neck or head that puts a neuron on them needs ``decay_input=False``.

    The defaults are what the released weights need; there is no scale, and the neuron of the attention's mask has half
    the threshold of the others, so that at the first step a mask is open where one spike of ``K * V`` is. What the
    released code has and never uses (``talking_heads``, drop path, a fourth neuron of the stem) does not exist here,
    and neither does its residual within an MLP whose ``mlp_ratio`` is 1, which no published model has.

    Args:
        arch: '8-384', '6-512', '8-512', '10-512', '8-768' (depth and width, for ImageNet), 'cifar10-2-256',
            'cifar10-2-512', 'cifar10-dvs-2-256', 'gesture-2-256', the small 'nano', or a dict with the fields of
            :class:`Arch`, which may name a preset to start from: ``dict(preset='nano', depth=1)``.
        neuron: Config of every neuron.
        residual_init: Weight that the last norm of every residual branch starts with; below 1 a network begins shallow
            and learns faster from scratch. The released code leaves it at 1.
        drop_path_rate: Probability of skipping the last residual branch; it grows linearly from 0 at the first block.
        init_cfg: Initialisation of mmengine, by default that of the released code.
        **kwargs: ``T``, ``in_channels``, ``out_indices``, ``time_reduction``, ``frozen_stages``, ``norm_eval`` and
            ``with_cp`` of :class:`SpikingBackbone`.
    """

    ARCHS = {
        'nano': Arch(96, 2, num_heads=4, strides=(2, 2, 2, 1)),
        '8-384': Arch(384, 8),
        '6-512': Arch(512, 6),
        '8-512': Arch(512, 8),
        '10-512': Arch(512, 10),
        '8-768': Arch(768, 8),
        'cifar10-2-256': Arch(256, 2, strides=(1, 1, 2, 2)),
        'cifar10-2-512': Arch(512, 2, strides=(1, 1, 2, 2)),
        'cifar10-dvs-2-256': Arch(256, 2, strides=(1, 1, 2, 2), pooled_attention=True),
        'gesture-2-256': Arch(256, 2, strides=(1, 2, 2, 2)),
    }

    def __init__(
        self,
        arch: str | dict = '8-384',
        *,
        neuron: dict = dict(type='LIF'),
        residual_init: float = 1.0,
        drop_path_rate: float = 0.0,
        init_cfg: dict | list[dict] | None = dict(type='TruncNormal', layer='Conv2d', std=0.02),
        **kwargs,
    ) -> None:
        super().__init__(init_cfg=init_cfg, **kwargs)
        if not 0.0 <= drop_path_rate < 1.0:
            raise ValueError(f'drop_path_rate must be in [0, 1), but got {drop_path_rate!r}.')
        arch = self.arch = self.resolve(arch)
        self.neuron, self.residual_init = neuron, residual_init
        self.stage_channels = tuple(arch.embed_dims // part for part in STEM_PARTS)
        self.stage_strides = tuple(math.prod(arch.strides[: i + 1]) for i in range(len(STEM_PARTS)))
        self.stages = nn.ModuleList(nn.ModuleList([self.build_split(i)]) for i in range(len(STEM_PARTS)))
        position = ConvBN(arch.embed_dims, arch.embed_dims, 3)
        self.stages[-1].append(self._shortcut(position))
        rates = [drop_path_rate * j / max(arch.depth - 1, 1) for j in range(arch.depth)]
        self.stages[-1].extend(self.build_block(rate) for rate in rates)
        self.finish()

    def build_split(self, i: int) -> PatchSplit:
        """The convolution of a stage. The last one has no neuron: its potentials are the residual stream."""
        last = i == len(STEM_PARTS) - 1
        in_channels = self.stage_channels[i - 1] if i else self.in_channels
        neuron = None if last else build_neuron(self.neuron)
        return PatchSplit(in_channels, self.stage_channels[i], neuron=neuron, pool=self.arch.strides[i] == 2)

    def build_block(self, drop_path: float) -> nn.Sequential:
        """Spike-driven self-attention and channel mixing."""
        arch, width = self.arch, self.arch.embed_dims
        if arch.pooled_attention:
            mixer = PooledSDSA(width, arch.num_heads, self.neuron)
        else:
            linear = dict(version=1, rep_qkv=False, rep_proj=False, proj_bias=True)
            mixer = SDSA(width, arch.num_heads, self.neuron, **linear)
        channels = SpikingMLP(width, self.neuron, ratio=arch.mlp_ratio)
        block = nn.Sequential()
        block.add_module('mixer', self._shortcut(mixer, drop_path))
        block.add_module('channels', self._shortcut(channels, drop_path))
        return block

    def _shortcut(self, branch: nn.Module, drop_path: float = 0.0) -> MembraneShortcut:
        *_, last_norm = (module for module in branch.modules() if isinstance(module, nn.BatchNorm2d))
        nn.init.constant_(last_norm.weight, self.residual_init)
        return MembraneShortcut(branch, self.neuron, drop_path=drop_path)
