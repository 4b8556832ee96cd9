"""Spike-driven self-attention for event streams: SDSA-1 with max pooling."""

import torch.nn.functional as F
from torch import Tensor

from .sdsa import SDSA
from .time import over_time


class PooledSDSA(SDSA):
    """SDSA-1 that spreads sparse spikes by 3x3 max pooling, the attention that `Spike-driven Transformer
    <https://arxiv.org/abs/2307.01694>`_ has for CIFAR10-DVS.

    ::

        P(Q * SN(sum_n P(K' * V'))),  K', V' = K and V, pooled over the map

    ``P`` pools over neighbouring tokens, in the order of rows, and neighbouring channels of one head. The paper does
    not mention the pooling; it is the ``dvs_mode`` of the released code.

    Args:
        in_channels: Channels of the input and output ``[T, B, C, H, W]``.
        num_heads: Heads; divides ``in_channels``.
        neuron: Config of the neurons; that of the mask has half their threshold.
    """

    def __init__(self, in_channels: int, num_heads: int, neuron: dict) -> None:
        super().__init__(
            in_channels, num_heads, neuron, version=1, rep_qkv=False, rep_proj=False, proj_bias=True)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.project(x)
        k, v = over_time(_max_pool, k), over_time(_max_pool, v)
        mask = self.attn_neuron(self.pool_heads(k * v).sum((-2, -1), keepdim=True))
        return self.proj(self.pool_heads(q * mask))

    def pool_heads(self, x: Tensor) -> Tensor:
        """Max pooling over tokens and channels of each head, ``[T, B, C, H, W]`` -> the same shape."""
        T, B, C, H, W = x.shape
        heads = x.reshape(T * B, self.num_heads, C // self.num_heads, H * W)
        return _max_pool(heads).reshape(T, B, C, H, W)


def _max_pool(x: Tensor) -> Tensor:
    return F.max_pool2d(x, 3, 1, 1)
