from .ems_neck import EMSNeck
from .spike_fpn import SpikeFPN

__all__ = ['EMSNeck', 'SpikeFPN']
