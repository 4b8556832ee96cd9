"""Self-supervised pre-training."""

from .mae_decoder import SpikeMAEDecoder
from .masked_spikformer_v2 import MaskedSpikformerV2

__all__ = ['MaskedSpikformerV2', 'SpikeMAEDecoder']
