"""The losses against numbers of the reference implementations (golden/optim_losses)."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from mmpretrain.models.losses import LabelSmoothLoss
from safetensors.torch import load_file

from spikemm.models.losses import DistillationLoss, TETLoss

GOLDEN = load_file(Path(__file__).parents[1] / 'data/golden/optim_losses.safetensors')
LOGITS, LABELS = GOLDEN['logits'], GOLDEN['labels']
SCORES = dict(kd_score=GOLDEN['logits_kd'], teacher_score=GOLDEN['teacher'])


def assert_is_golden(loss: torch.Tensor, name: str) -> None:
    torch.testing.assert_close(loss, GOLDEN[f'loss.{name}'].squeeze(), rtol=1e-6, atol=1e-6)


def test_mode_original_of_mmpretrain_is_the_label_smoothing_of_the_reference():
    assert_is_golden(LabelSmoothLoss(0.1, mode='original')(LOGITS, LABELS), 'label_smoothing_0.1')


@pytest.mark.parametrize('name, cfg', [
    ('kd_hard', dict(kind='hard')),
    ('kd_soft_tau1', dict(kind='soft', tau=1.0)),
    ('kd_soft_tau3', dict(kind='soft', tau=3.0)),
])
def test_distillation_is_that_of_the_reference(name, cfg):
    assert_is_golden(DistillationLoss(**cfg)(LOGITS, LABELS, **SCORES), name)


def test_distillation_takes_the_soft_labels_of_mixup():
    one_hot = F.one_hot(LABELS, LOGITS.shape[1]).float()
    assert_is_golden(DistillationLoss()(LOGITS, one_hot, **SCORES), 'kd_hard')


def test_alpha_weighs_teacher_against_labels():
    loss = DistillationLoss(alpha=1.0)(LOGITS, LABELS, **SCORES)
    torch.testing.assert_close(loss, F.cross_entropy(GOLDEN['logits_kd'], GOLDEN['teacher'].argmax(1)))


def test_an_unknown_kind_of_distillation_is_refused():
    with pytest.raises(ValueError, match="`kind` must be 'hard' or 'soft', but got 'none'"):
        DistillationLoss(kind='none')


def test_a_teacher_with_other_classes_is_refused():
    with pytest.raises(ValueError, match='`teacher_score` must be'):
        DistillationLoss()(LOGITS, LABELS, kd_score=LOGITS, teacher_score=GOLDEN['teacher'][:, :3])


def test_tet_is_that_of_the_reference():
    steps = GOLDEN['tet_logits']  # [T, B, num_classes]
    loss = TETLoss(lamb=0.001, means=1.0)(steps.flatten(0, 1), LABELS.repeat(len(steps)))
    assert_is_golden(loss, 'tet_mean1_lamb0.001')
