from .spike_retina_head import SpikeRetinaHead
from .spike_rpn_head import SpikeRPNHead
from .spike_yolox_head import SpikeYOLOXHead

__all__ = ['SpikeRPNHead', 'SpikeRetinaHead', 'SpikeYOLOXHead']
