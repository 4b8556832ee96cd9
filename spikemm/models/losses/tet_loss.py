import torch
import torch.nn.functional as F
from mmpretrain.registry import MODELS as CLS_MODELS
from torch import Tensor, nn

from spikemm.registry import MODELS


@MODELS.register_module()
class TETLoss(nn.Module):
    """Loss of every single time step instead of the loss of the mean over time (temporal efficient training).

    ``(1 - lamb) * mean_t loss(o_t, y) + lamb * mean_t MSE(o_t, means)``, as in `Temporal Efficient Training of Spiking
    Neural Network via Gradient Re-weighting <https://arxiv.org/abs/2202.11946>`_.

    A head that finds this loss trains on its logits before the mean over time: name it in the ``loss`` of
    :class:`spikemm.models.SpikeLinearClsHead`. With ``lamb=0`` it is the plain mean of the losses of all time steps.

    Args:
        loss: Loss of one time step; mixup needs one that takes soft labels.
        lamb: Weight of the regulariser, which keeps outliers of single time steps small.
        means: Logit that the regulariser pulls to, in practice the firing threshold.
    """

    def __init__(self, *, loss: dict | None = None, lamb: float = 1e-3, means: float = 1.0) -> None:
        super().__init__()
        self.loss = CLS_MODELS.build(loss or dict(type='CrossEntropyLoss'))
        self.lamb = lamb
        self.means = means

    def forward(self, cls_score: Tensor, target: Tensor, avg_factor: int | None = None) -> Tensor:
        """Return the loss of logits ``[T * B, num_classes]`` with the labels repeated ``T`` times."""
        regulariser = F.mse_loss(cls_score, torch.full_like(cls_score, self.means))
        return (1 - self.lamb) * self.loss(cls_score, target, avg_factor=avg_factor) + self.lamb * regulariser
