import torch.nn.functional as F
from mmpretrain.registry import MODELS as CLS_MODELS
from torch import Tensor, nn

from spikemm.registry import MODELS


@MODELS.register_module()
class DistillationLoss(nn.Module):
    """Distillation through a second classifier: ``(1 - alpha) * loss(head, y) + alpha * kd(head_kd, teacher)``.

    The two kinds are those of `Training data-efficient image transformers & distillation through attention
    <https://arxiv.org/abs/2012.12877>`_:

    - ``hard``: ``kd`` is the cross entropy with the teacher's decision.
    - ``soft``: ``kd`` is ``tau ** 2 * KL(teacher || head_kd)`` of the logits divided by ``tau``. It is averaged over
      samples **and classes**, as the code of that paper does, which makes it ``num_classes`` times smaller than the
      divergence that its text writes.

    Args:
        kind: ``'hard'`` or ``'soft'``.
        alpha: Weight of the distillation term.
        tau: Temperature of the soft distillation.
        loss: Loss of the labels; mixup needs one that takes soft labels. The default is the label smoothing of
            Meta-SpikeFormer.
    """

    def __init__(
        self, *, kind: str = 'hard', alpha: float = 0.5, tau: float = 1.0, loss: dict | None = None,
    ) -> None:
        super().__init__()
        if kind not in ('hard', 'soft'):
            raise ValueError(f"`kind` must be 'hard' or 'soft', but got {kind!r}.")
        self.loss = CLS_MODELS.build(loss or dict(type='LabelSmoothLoss', label_smooth_val=0.1, mode='original'))
        self.kind = kind
        self.alpha = alpha
        self.tau = tau

    def forward(
        self, cls_score: Tensor, target: Tensor, avg_factor: int | None = None, *, kd_score: Tensor,
        teacher_score: Tensor,
    ) -> Tensor:
        """Return the loss; all three scores are logits ``[B, num_classes]``."""
        if teacher_score.shape != kd_score.shape:
            raise ValueError(
                f'`teacher_score` must be {tuple(kd_score.shape)} as the logits of the student, '
                f'but got {tuple(teacher_score.shape)}.')
        base = self.loss(cls_score, target, avg_factor=avg_factor)
        distill = self.hard(kd_score, teacher_score) if self.kind == 'hard' else self.soft(kd_score, teacher_score)
        return (1 - self.alpha) * base + self.alpha * distill

    def hard(self, kd_score: Tensor, teacher_score: Tensor) -> Tensor:
        return F.cross_entropy(kd_score, teacher_score.argmax(1))

    def soft(self, kd_score: Tensor, teacher_score: Tensor) -> Tensor:
        student, teacher = ((x / self.tau).log_softmax(1) for x in (kd_score, teacher_score))
        return F.kl_div(student, teacher, reduction='none', log_target=True).mean() * self.tau**2
