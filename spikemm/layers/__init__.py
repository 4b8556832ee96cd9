"""Spiking layers; each takes and returns ``[T, B, C, H, W]``."""

from .conv import ConvBN, Downsample
from .csa import CSA
from .mlp import SpikingMLP
from .patch_split import PatchSplit
from .pooled_sdsa import PooledSDSA
from .recompute import recompute
from .rep_conv import RepConvBN
from .sdsa import SDSA, SSA
from .sep_conv import SepConv
from .shortcut import SHORTCUTS, MembraneShortcut, SEWShortcut, VanillaShortcut
from .stock import build_neurons, drop_activations, fire_through
from .time import OverTime, channels_last, mean_over_time, over_time, to_sequence

__all__ = [
    'CSA',
    'SDSA',
    'SHORTCUTS',
    'SSA',
    'ConvBN',
    'Downsample',
    'MembraneShortcut',
    'OverTime',
    'PatchSplit',
    'PooledSDSA',
    'RepConvBN',
    'SEWShortcut',
    'SepConv',
    'SpikingMLP',
    'VanillaShortcut',
    'build_neurons',
    'channels_last',
    'drop_activations',
    'fire_through',
    'mean_over_time',
    'over_time',
    'recompute',
    'to_sequence',
]
