from collections.abc import Sequence

from mmpretrain.structures import DataSample
from torch import Tensor, nn

from spikemm.models.losses import DistillationLoss
from spikemm.registry import MODELS

from .spike_linear_cls_head import SpikeLinearClsHead


@MODELS.register_module()
class SpikeDistillClsHead(SpikeLinearClsHead):
    """:class:`SpikeLinearClsHead` with a second classifier, ``fc_kd``, that learns from a teacher.

    Both read the same spikes. The first learns the labels, the second the teacher, and the prediction is the mean of
    the two, as in DeiT; the accuracy that ``cal_acc`` logs in training is that of the first. The logits of the teacher
    come from :class:`spikemm.models.DistilledImageClassifier`. A trained model needs no teacher: test it with
    mmpretrain's ``ImageClassifier``, whose checkpoints are the same.

    Args:
        loss: A :class:`spikemm.models.DistillationLoss`.
        kwargs: The other arguments of :class:`SpikeLinearClsHead`.
    """

    def __init__(self, num_classes: int, in_channels: int, *, loss: dict | None = None, **kwargs) -> None:
        super().__init__(num_classes, in_channels, loss=loss or dict(type='spikemm.DistillationLoss'), **kwargs)
        if not isinstance(self.loss_module, DistillationLoss):
            raise TypeError(f'`loss` must be a DistillationLoss, but got {type(self.loss_module).__name__}.')
        self.fc_kd = nn.Linear(in_channels, num_classes)

    def forward(self, feats: Sequence[Tensor]) -> Tensor:
        cls_score, kd_score = self.scores(feats)
        return (cls_score + kd_score) / 2

    def scores(self, feats: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Return the logits ``[B, num_classes]`` of both classifiers."""
        spikes = self.pre_logits(feats)
        return self.fc(spikes).mean(0), self.fc_kd(spikes).mean(0)

    def loss(
        self, feats: Sequence[Tensor], data_samples: list[DataSample], *, teacher_score: Tensor,
    ) -> dict[str, Tensor]:
        cls_score, kd_score = self.scores(feats)
        return self._get_loss(cls_score, data_samples, kd_score=kd_score, teacher_score=teacher_score)
