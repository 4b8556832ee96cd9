"""Spiking backbones."""

from .base import SpikingBackbone
from .converted import ConvertedANN, convert_ann
from .ems_resnet import EMSResNet
from .meta_spikeformer import MetaSpikeFormer
from .ms_resnet import AttMSResNet, MSResNet
from .sew_resnet import SEWResNet
from .spike_driven_transformer import SpikeDrivenTransformer
from .spikformer import Spikformer
from .spikformer_v2 import SpikformerV2

__all__ = [
    'AttMSResNet',
    'ConvertedANN',
    'EMSResNet',
    'MSResNet',
    'MetaSpikeFormer',
    'SEWResNet',
    'SpikeDrivenTransformer',
    'Spikformer',
    'SpikformerV2',
    'SpikingBackbone',
    'convert_ann',
]
