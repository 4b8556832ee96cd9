from .distillation_loss import DistillationLoss
from .tet_loss import TETLoss

__all__ = ['DistillationLoss', 'TETLoss']
