"""Spiking layers; each takes and returns ``[T, B, C, H, W]``."""

from .conv import ConvBN, Downsample
from .mlp import SpikingMLP
from .rep_conv import RepConvBN
from .sdsa import SDSA
from .sep_conv import SepConv
from .shortcut import SHORTCUTS, MembraneShortcut, SEWShortcut, VanillaShortcut
from .time import over_time, to_sequence

__all__ = [
    'SDSA',
    'SHORTCUTS',
    'ConvBN',
    'Downsample',
    'MembraneShortcut',
    'RepConvBN',
    'SEWShortcut',
    'SepConv',
    'SpikingMLP',
    'VanillaShortcut',
    'over_time',
    'to_sequence',
]
