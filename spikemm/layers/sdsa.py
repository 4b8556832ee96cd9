"""Spiking self-attention and the spike-driven self-attentions that came of it."""

from torch import Tensor, nn

from spikemm.neurons import build_neuron

from .conv import ConvBN
from .rep_conv import RepConvBN

MASK_THRESHOLD = 0.5  # of the mask and attention neurons, relative to the others', as in the released code
SCALE = 0.125  # of Q K^T V, whatever the head's width, as in the released code


class SDSA(nn.Module):
    """Spike-driven self-attention 1 to 4, Fig. 3 of `Spike-driven Transformer V2
    <https://arxiv.org/abs/2404.03663>`_, without its first neuron, which the shortcut owns.

    Q, K, V are spikes ``[T, B, C, H, W]``; sums and products run over the tokens ``N = H*W``; ``SN`` is a neuron::

        SDSA-1   Q * SN(sum_n K * V)                     one mask a channel
        SDSA-2   SN(sum_n Q) * V                         no K
        SDSA-3   SN_s(Q (K^T V)), a head at a time       Eq. (15)
        SDSA-4   SDSA-3 with a learnable threshold

    SDSA-3 in the paper has no scale and the threshold ``s * u_th``. The released code multiplies by 0.125 and halves
    the threshold, which published weights need and which is the default; ``scale=None`` is the paper's form with the
    same spikes (threshold 4 times a neuron's), though not the same surrogate gradients. The formula of SDSA-2 stands
    in the paper's Appendix A, which the authors of this file did not have at hand: it is the one with two of the three
    projections, as its parameter count in Table 5 asks.

    Args:
        in_channels: Channels of the input and output ``[T, B, C, H, W]``.
        num_heads: Heads; divides ``in_channels``.
        neuron: Config of the neurons.
        version: 1 to 4.
        scale: Factor of SDSA-3 and 4, or None to merge it into the threshold.
        rep_qkv: Whether Q, K, V come from RepConv (else from a linear layer).
        rep_proj: Whether the output projection is a RepConv.
        qkv_bias: Whether the linear layers of Q, K, V have biases.
        proj_bias: Whether a linear output projection has a bias.
    """

    def __init__(
        self,
        in_channels: int,
        num_heads: int,
        neuron: dict,
        *,
        version: int = 3,
        scale: float | None = SCALE,
        rep_qkv: bool = True,
        rep_proj: bool = True,
        qkv_bias: bool = False,
        proj_bias: bool = False,
    ) -> None:
        super().__init__()
        if version not in (1, 2, 3, 4):
            raise ValueError(f'sdsa must be 1, 2, 3 or 4, but got {version!r}.')
        if in_channels % num_heads:
            raise ValueError(f'embed_dims must be divisible by num_heads, but got {in_channels} and {num_heads}.')
        self.version, self.num_heads, self.scale = version, num_heads, scale
        shape = in_channels, in_channels
        self.inputs = ('q', 'v') if version == 2 else ('q', 'k', 'v')
        for name in self.inputs:
            setattr(self, name, RepConvBN(*shape) if rep_qkv else ConvBN(*shape, bias=qkv_bias))
            setattr(self, f'{name}_neuron', build_neuron(neuron))
        threshold = neuron.get('v_threshold', 1.0) * MASK_THRESHOLD
        if version >= 3 and scale is None:
            threshold /= SCALE
        if version == 4:
            neuron = {**neuron, 'type': 'ThresholdLIF'}
        self.attn_neuron = build_neuron(neuron, v_threshold=threshold)
        self.proj = RepConvBN(*shape) if rep_proj else ConvBN(*shape, bias=proj_bias)

    def forward(self, x: Tensor) -> Tensor:
        q, *k, v = self.project(x)
        if self.version == 2:
            return self.proj(self.attn_neuron(q.sum((-2, -1), keepdim=True)) * v)
        if self.version == 1:
            return self.proj(q * self.attn_neuron((k[0] * v).sum((-2, -1), keepdim=True)))
        return self.proj(self.attn_neuron(self.product(q, k[0], v)))

    def project(self, x: Tensor) -> list[Tensor]:
        """Spikes Q, K, V (Q, V for version 2)."""
        if hasattr(self, 'joint'):
            return self.joint(x, self.q_neuron).chunk(len(self.inputs), 2)
        return [getattr(self, name)(x, getattr(self, f'{name}_neuron')) for name in self.inputs]

    def join(self, joint: nn.Module) -> None:
        """Let one layer make Q, K and V, in this order of its output channels, in place of three."""
        self.joint = joint
        for name in self.inputs:
            delattr(self, name)
        for name in self.inputs[1:]:
            delattr(self, f'{name}_neuron')

    def product(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Q (K^T V) of each head, scaled. The sums of spikes are integers, so their order does not matter."""
        T, B, C, H, W = q.shape
        q, k, v = (x.reshape(T * B, self.num_heads, C // self.num_heads, H * W) for x in (q, k, v))
        kv = v @ k.transpose(-2, -1)  # [T*B, heads, d, d], transposed: rows are V's channels
        if self.scale is not None:
            kv = kv * self.scale
        return (kv @ q).reshape(T, B, C, H, W)


class SSA(SDSA):
    """Spiking self-attention of `Spikformer <https://arxiv.org/abs/2209.15425>`_, without the neuron in
    front of it or behind it, which the shortcut owns.

    It is SDSA-3 with linear projections: ``SN_s(Q K^T V)`` of spikes, without softmax.

    Args:
        in_channels: Channels of the input and output ``[T, B, C, H, W]``.
        num_heads: Heads; divides ``in_channels``.
        neuron: Config of the neurons; the one behind the product has half their threshold.
        scale: Factor of the product, or None to merge 0.125 into that threshold.
        qkv_bias: Whether the linear layers of Q, K, V have biases.
    """

    def __init__(
        self, in_channels: int, num_heads: int, neuron: dict, *, scale: float | None = SCALE, qkv_bias: bool = False
    ) -> None:
        linear = dict(rep_qkv=False, rep_proj=False, qkv_bias=qkv_bias, proj_bias=True)
        super().__init__(in_channels, num_heads, neuron, scale=scale, **linear)
