"""Spikformer, the first spiking transformer: a stem of max poolings and spiking self-attention."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from spikemm.layers import SSA, ConvBN, PatchSplit, SEWShortcut, SpikingMLP
from spikemm.layers.sdsa import SCALE
from spikemm.neurons import build_neuron
from spikemm.registry import MODELS

from .base import SpikingBackbone

STEM_WIDTHS = (8, 4, 2, 1)  # what the width of the blocks is divided by, one a stage of the stem


@dataclass(frozen=True)
class Arch:
    """Sizes of a Spikformer.

    Args:
        embed_dims: Channels of the blocks; the stem's stages have an eighth, a quarter, a half, and all of them.
        depth: Blocks.
        num_heads: Heads of every block.
        mlp_ratio: Expansion of the channel mixing.
        pools: Whether a max pooling halves the map, one a stage of the stem.
        qkv_bias: Whether the linear layers of Q, K, V have biases.
        scale: Factor of Q K^T V.
    """

    embed_dims: int
    depth: int
    num_heads: int = 8
    mlp_ratio: int = 4
    pools: Sequence[bool] = (True, True, True, True)
    qkv_bias: bool = False
    scale: float = SCALE

    def __post_init__(self) -> None:
        if self.embed_dims % STEM_WIDTHS[0] or self.embed_dims % self.num_heads:
            raise ValueError(f'embed_dims must be divisible by {STEM_WIDTHS[0]} and by num_heads, but got {self}.')
        if len(self.pools) != len(STEM_WIDTHS):
            raise ValueError(f'pools must be {len(STEM_WIDTHS)}, one a stage of the stem, but got {self.pools!r}.')
        if self.depth < 1:
            raise ValueError(f'depth must be a positive number of blocks, but got {self.depth!r}.')


@MODELS.register_module()
class Spikformer(SpikingBackbone):
    """Spikformer of `Spikformer: When Spiking Neural Network Meets Transformer <https://arxiv.org/abs/2209.15425>`_:
    spiking patch splitting, a positional convolution, and blocks of spiking self-attention.

    Every residual adds spikes to spikes. So the outputs of the last stage are sums of spikes, integers that grow with
    every block, and the weight layers of the blocks multiply integers; the outputs of the other stages are spikes.
    A head reads them as they are (``SpikeLinearClsHead(..., neuron=None)``), and necks and heads with neurons need
    ``decay_input=False``: a LIF that halves its input never fires on a single spike a step.

    The presets are those of the released code, whose weights need the neuron that halves its input, the factor of
    attention (0.125, and 0.25 for CIFAR10-DVS) and the halved threshold behind it. The LayerNorms and the drop path
    that it builds are never used there; the former do not exist here, the latter acts if its rate is not 0.

    Args:
        arch: '8-384', '6-512', '8-512' or '8-768' (blocks and width, of ImageNet), 'cifar10-4-384' (stride 4),
            'cifar10-dvs' (with ``in_channels=2``; read from the released training code, not checked against weights),
            the small 'nano', or a dict with the fields of :class:`Arch`, which may name a preset to start from:
            ``dict(preset='8-512', pools=(False, True, True, True))``.
        neuron: Config of every neuron.
        drop_path_rate: Probability of skipping the last residual branch; it grows linearly from 0 at the first block.
        **kwargs: ``T``, ``in_channels``, ``out_indices``, ``time_reduction``, ``frozen_stages``, ``norm_eval``,
            ``with_cp`` and ``init_cfg`` of :class:`SpikingBackbone`. The four stages are those of the stem; the last
            one includes the positional convolution and the blocks.
    """

    ARCHS = {
        'nano': Arch(96, 1, num_heads=4, pools=(True, True, True, False)),
        'cifar10-4-384': Arch(384, 4, num_heads=12, pools=(False, False, True, True), qkv_bias=True),
        'cifar10-dvs': Arch(256, 2, num_heads=16, scale=0.25),
        '8-384': Arch(384, 8),
        '6-512': Arch(512, 6),
        '8-512': Arch(512, 8),
        '8-768': Arch(768, 8),
    }

    def __init__(
        self,
        arch: str | dict = '8-512',
        *,
        neuron: dict = dict(type='LIF'),
        drop_path_rate: float = 0.0,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        if not 0.0 <= drop_path_rate < 1.0:
            raise ValueError(f'drop_path_rate must be in [0, 1), but got {drop_path_rate!r}.')
        self.arch = arch = self.resolve(arch)
        self.neuron = neuron
        self.stage_channels = tuple(arch.embed_dims // part for part in STEM_WIDTHS)
        self.stage_strides = tuple(2 ** sum(arch.pools[: i + 1]) for i in range(len(arch.pools)))
        self.stages = nn.ModuleList()
        inputs = self.in_channels, *self.stage_channels[:-1]
        for before, width, pool in zip(inputs, self.stage_channels, arch.pools, strict=True):
            split = PatchSplit(before, width, neuron=build_neuron(neuron), pool=pool)
            self.stages.append(nn.ModuleList([split]))
        position = ConvBN(arch.embed_dims, arch.embed_dims, 3)
        rates = [drop_path_rate * i / max(arch.depth - 1, 1) for i in range(arch.depth)]
        self.stages[-1].append(SEWShortcut(position, neuron))
        self.stages[-1].extend(self.build_block(rate) for rate in rates)
        self.finish()

    def build_block(self, drop_path: float) -> nn.Sequential:
        """Spiking self-attention and channel mixing."""
        arch, neuron = self.arch, self.neuron
        attention = SSA(arch.embed_dims, arch.num_heads, neuron, scale=arch.scale, qkv_bias=arch.qkv_bias)
        mixing = SpikingMLP(arch.embed_dims, neuron, ratio=arch.mlp_ratio)
        return nn.Sequential(*(SEWShortcut(branch, neuron, drop_path=drop_path) for branch in (attention, mixing)))
