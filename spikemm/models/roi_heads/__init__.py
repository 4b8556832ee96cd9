from .spike_bbox_head import SpikeShared2FCBBoxHead
from .spike_mask_head import SpikeFCNMaskHead
from .spike_roi_extractor import SpikeRoIExtractor
from .spike_roi_head import SpikeCascadeRoIHead, SpikeStandardRoIHead

__all__ = [
    'SpikeCascadeRoIHead',
    'SpikeFCNMaskHead',
    'SpikeRoIExtractor',
    'SpikeShared2FCBBoxHead',
    'SpikeStandardRoIHead',
]
