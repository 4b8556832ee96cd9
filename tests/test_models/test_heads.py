"""The classification heads against the reference (golden/sdt_v2_kd_head_T2), and training with a teacher."""

import copy
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from mmengine.optim import OptimWrapper
from mmpretrain.models.classifiers import ImageClassifier
from mmpretrain.structures import DataSample
from safetensors.torch import load_file
from torch import nn

from spikemm.models.classifiers import DistilledImageClassifier
from spikemm.models.heads import SpikeDistillClsHead, SpikeLinearClsHead

GOLDEN = load_file(Path(__file__).parents[1] / 'data/golden/sdt_v2_kd_head_T2.safetensors')
MEMBRANE = GOLDEN['feat.stage4']  # [T, B, C, H, W] = [2, 2, 40, 4, 4]
LABELS = torch.tensor([1, 4])


def golden_head(cls: type, **kwargs) -> SpikeLinearClsHead:
    head = cls(num_classes=7, in_channels=40, **kwargs).eval()
    state = {k.removeprefix('state.'): v for k, v in GOLDEN.items() if k.startswith('state.')}
    state = {k.replace('head_kd', 'fc_kd').replace('head', 'fc'): v for k, v in state.items()}
    head.load_state_dict({k: v for k, v in state.items() if k in head.state_dict()})
    return head


def samples(labels: torch.Tensor = LABELS) -> list[DataSample]:
    return [DataSample().set_gt_label(label) for label in labels]


def test_the_head_fires_as_the_reference():
    spikes = golden_head(SpikeLinearClsHead).pre_logits((MEMBRANE,))
    assert spikes.sum() > 0, 'silent head, the comparison below would prove nothing'
    assert torch.equal(spikes, GOLDEN['feat.pooled_spikes'])


def test_logits_are_those_of_the_reference():
    logits = golden_head(SpikeLinearClsHead)((MEMBRANE,))
    torch.testing.assert_close(logits, GOLDEN['output.head'], rtol=1e-4, atol=1e-4)


def test_both_classifiers_are_those_of_the_reference_at_every_time_step():
    head = golden_head(SpikeDistillClsHead)
    spikes = head.pre_logits((MEMBRANE,))
    assert spikes.sum() > 0
    torch.testing.assert_close(head.fc(spikes), GOLDEN['feat.head_per_step'], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(head.fc_kd(spikes), GOLDEN['feat.head_kd_per_step'], rtol=1e-4, atol=1e-4)


def test_a_distilled_head_learns_with_two_outputs_and_predicts_their_mean():
    head = golden_head(SpikeDistillClsHead)
    cls_score, kd_score = head.scores((MEMBRANE,))
    torch.testing.assert_close(cls_score, GOLDEN['output.head'], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(kd_score, GOLDEN['output.head_kd'], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(head((MEMBRANE,)), GOLDEN['output.logits'], rtol=1e-4, atol=1e-4)


def test_prediction_is_the_softmax_of_the_reference():
    predictions = golden_head(SpikeDistillClsHead).predict((MEMBRANE,))
    scores = torch.stack([p.pred_score for p in predictions])
    torch.testing.assert_close(scores, GOLDEN['output.logits'].softmax(1), rtol=1e-4, atol=1e-4)
    assert [p.pred_label.item() for p in predictions] == GOLDEN['output.logits'].argmax(1).tolist()


def test_features_without_time_are_refused():
    with pytest.raises(ValueError, match=r'must be \[T, B, C, H, W\], but got shape \(2, 40, 4, 4\)'):
        SpikeLinearClsHead(7, 40)((MEMBRANE[0],))


def test_another_neuron_can_be_named():
    head = golden_head(SpikeLinearClsHead, neuron=dict(type='LIF', v_threshold=0.5))
    assert head.pre_logits((MEMBRANE,)).sum() > GOLDEN['feat.pooled_spikes'].sum() > 0


def test_without_a_neuron_the_mean_of_spikes_is_read_as_it_is():
    spikes = (MEMBRANE > 0.5).float()
    rates = golden_head(SpikeLinearClsHead, neuron=None).pre_logits((spikes,))
    assert rates.sum() > 0
    assert torch.equal(rates, spikes.mean((-2, -1)))
    assert golden_head(SpikeLinearClsHead).pre_logits((spikes,)).sum() == 0  # the default never fires on them


def test_weights_start_as_in_the_reference():
    head = SpikeDistillClsHead(100, 640)
    head.init_weights()
    for fc in (head.fc, head.fc_kd):
        assert fc.weight.std().item() == pytest.approx(0.02, rel=0.02)
        assert not fc.bias.any()


def test_the_loss_reads_the_mean_over_time():
    loss = golden_head(SpikeLinearClsHead).loss((MEMBRANE,), samples())['loss']
    torch.testing.assert_close(loss, F.cross_entropy(GOLDEN['output.head'], LABELS), rtol=1e-4, atol=1e-4)


def test_tet_reads_every_time_step():
    head = golden_head(SpikeLinearClsHead, loss=dict(type='spikemm.TETLoss', lamb=0.0))
    loss = head.loss((MEMBRANE,), samples())['loss']
    expected = torch.stack([F.cross_entropy(step, LABELS) for step in GOLDEN['feat.head_per_step']]).mean()
    torch.testing.assert_close(loss, expected, rtol=1e-4, atol=1e-4)
    assert (loss - F.cross_entropy(GOLDEN['output.head'], LABELS)).abs() > 1e-3


def test_distillation_gives_a_gradient_to_both_classifiers_and_to_the_features():
    head = golden_head(SpikeDistillClsHead)
    x = MEMBRANE.clone().requires_grad_()
    assert head.pre_logits((x,)).sum() > 0
    head.loss((x,), samples(), teacher_score=GOLDEN['output.head'])['loss'].backward()
    assert all(p.grad.abs().sum() > 0 for p in (x, *head.parameters()))


def test_a_distilled_head_refuses_a_loss_without_teacher():
    with pytest.raises(TypeError, match='`loss` must be a DistillationLoss, but got CrossEntropyLoss'):
        SpikeDistillClsHead(7, 40, loss=dict(type='CrossEntropyLoss'))


class Student(nn.Module):
    """A backbone of one convolution and two time steps."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, 4, bias=False)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor]:
        x = 20 * self.conv(x)
        return (x.expand(2, *x.shape),)


TEACHER = dict(
    type='ImageClassifier',
    backbone=dict(type='ResNet', depth=18, base_channels=4),  # has batch norm: would learn if it were not in eval mode
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes=7, in_channels=32))


def distilled(**kwargs) -> DistilledImageClassifier:
    torch.manual_seed(0)
    return DistilledImageClassifier(
        Student(), head=dict(type='spikemm.SpikeDistillClsHead', num_classes=7, in_channels=8),
        **{'teacher': TEACHER, **kwargs}).train()


def batch() -> dict:
    torch.manual_seed(1)
    return dict(inputs=torch.randn(2, 3, 32, 32), data_samples=samples())


def train_step(model: DistilledImageClassifier) -> torch.Tensor:
    return model.train_step(batch(), OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1)))['loss']


def test_the_teacher_does_not_learn_and_the_student_does():
    model = distilled()
    teacher, student = copy.deepcopy(model.teacher.state_dict()), copy.deepcopy(model.state_dict())
    train_step(model.train())
    assert not model.teacher.training
    assert not any(p.requires_grad for p in model.teacher.parameters())
    torch.testing.assert_close(model.teacher.state_dict(), teacher, rtol=0, atol=0)
    assert all(not torch.equal(v, student[k]) for k, v in model.state_dict().items())


def test_the_checkpoint_is_that_of_a_plain_classifier():
    model = distilled()
    train_step(model)
    plain = ImageClassifier(Student(), head=dict(type='spikemm.SpikeDistillClsHead', num_classes=7, in_channels=8))
    plain.load_state_dict(model.state_dict(), strict=True)
    assert len(list(model.parameters())) == len(list(plain.parameters()))


def test_the_student_learns_from_the_logits_of_the_teacher():
    model, data = distilled(), batch()
    score = model.teacher(data['inputs'])
    feats = model.extract_feat(data['inputs'])
    assert model.head.pre_logits(feats).sum() > 0
    expected = model.head.loss(feats, data['data_samples'], teacher_score=score)
    torch.testing.assert_close(model.loss(**data), expected)
    other = model.head.loss(feats, data['data_samples'], teacher_score=-score)
    assert (expected['loss'] - other['loss']).abs() > 1e-4


def test_the_teacher_sees_the_mixed_images_of_the_student():
    model = distilled(
        data_preprocessor=dict(num_classes=7), train_cfg=dict(augments=dict(type='Mixup', alpha=0.8)))
    seen = []
    for net in (model.teacher, model.backbone):
        net.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    loss = train_step(model)
    assert loss.isfinite()
    assert torch.equal(*seen)
    assert not torch.equal(seen[0], batch()['inputs'])


@pytest.mark.parametrize('named_by', ['teacher_ckpt', 'its config'])
def test_weights_of_the_teacher_come_from_its_checkpoint(tmp_path, named_by):
    state, path = distilled().teacher.state_dict(), str(tmp_path / 'teacher.pth')
    torch.save(dict(state_dict=state), path)
    ways = {'teacher_ckpt': dict(teacher_ckpt=path), 'its config': dict(teacher=TEACHER | dict(pretrained=path))}
    model = distilled(**ways[named_by])
    torch.manual_seed(2)
    torch.testing.assert_close(model.teacher.state_dict(), state, rtol=0, atol=0)


def test_a_checkpoint_that_does_not_fit_the_teacher_is_refused(tmp_path):
    torch.save(dict(state_dict=Student().state_dict()), tmp_path / 'teacher.pth')
    model = distilled(teacher_ckpt=str(tmp_path / 'teacher.pth'))
    with pytest.raises(RuntimeError, match='missing keys in source state_dict'):
        train_step(model)


def test_a_prediction_needs_no_teacher():
    model = distilled(teacher=dict(type='NoSuchClassifier')).eval()
    assert len(model.test_step(batch())) == 2


def test_a_head_that_fires_first_reads_the_firing_rates_of_the_map():
    head = golden_head(SpikeLinearClsHead, fire_first=True)
    spikes = head.neuron(MEMBRANE)
    assert 0 < spikes.mean() < 1 and spikes.unique().tolist() == [0, 1]
    assert torch.equal(head.pre_logits((MEMBRANE,)), spikes.mean((-2, -1)))
    assert not torch.equal(head((MEMBRANE,)), golden_head(SpikeLinearClsHead)((MEMBRANE,)))


def test_dropout_takes_channels_at_all_time_steps_and_only_in_training():
    torch.manual_seed(0)
    head = golden_head(SpikeLinearClsHead, neuron=None, dropout=0.5)
    whole = head.pre_logits((MEMBRANE,))
    assert torch.equal(whole, MEMBRANE.mean((-2, -1)))
    kept = head.train().pre_logits((MEMBRANE,)) / whole  # 0 or 2
    assert sorted(kept.round().unique().tolist()) == [0, 2] and torch.equal(kept[0].round(), kept[1].round())
