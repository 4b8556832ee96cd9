"""Spiking layers; each takes and returns ``[T, B, C, H, W]``."""

from .conv import ConvBN, Downsample
from .mlp import SpikingMLP
from .rep_conv import RepConvBN
from .sdsa import SDSA
from .sep_conv import SepConv
from .shortcut import SHORTCUTS, MembraneShortcut, SEWShortcut, VanillaShortcut
from .time import OverTime, channels_last, over_time, to_sequence

__all__ = [
    'SDSA',
    'SHORTCUTS',
    'ConvBN',
    'Downsample',
    'MembraneShortcut',
    'OverTime',
    'RepConvBN',
    'SEWShortcut',
    'SepConv',
    'SpikingMLP',
    'VanillaShortcut',
    'channels_last',
    'over_time',
    'to_sequence',
]
