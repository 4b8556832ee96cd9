"""Optimizer, weight decay and learning rates of the schedules against the reference (golden/optim_losses)."""

import json
from pathlib import Path

import pytest
import torch
from mmengine import Config
from mmengine.optim import OptimWrapper, build_optim_wrapper
from mmengine.registry import PARAM_SCHEDULERS, DefaultScope
from safetensors.torch import load_file
from torch import nn

ROOT = Path(__file__).parents[2]
GOLDEN = load_file(ROOT / 'tests/data/golden/optim_losses.safetensors')
FACTS = json.loads((ROOT / 'tests/data/golden/optim_losses.json').read_text())
SCHEDULE = Config.fromfile(ROOT / 'configs/_base_/schedules/imagenet_bs1024_lamb_sdtv2.py')


def optim_wrapper(model: nn.Module) -> OptimWrapper:
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        return build_optim_wrapper(model, SCHEDULE.optim_wrapper)


def learning_rates(schedulers: list[dict], lr: float, steps: int, epoch_length: int = 1) -> list[float]:
    """Run the schedulers as a Runner does and return the learning rate of every step."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=lr)
    args = dict(optimizer=optimizer, epoch_length=epoch_length)
    schedulers = [PARAM_SCHEDULERS.build(dict(cfg), default_args=args) for cfg in schedulers]
    optimizer.step()
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]['lr'])
        for scheduler in schedulers:
            scheduler.step()
    return rates


def test_four_steps_of_lamb_are_those_of_the_reference():
    model = nn.ModuleDict(dict(conv=nn.Conv2d(3, 4, 3, bias=False), bn=nn.BatchNorm2d(4), head=nn.Linear(4, 5)))
    model.load_state_dict({k[7:]: v for k, v in GOLDEN.items() if k.startswith('param0.')}, strict=False)
    optimizer = optim_wrapper(model).optimizer
    for group in optimizer.param_groups:
        group['lr'] = FACTS['lamb']['lr']
    for step in (1, 2, 3, 4):
        for name, param in model.named_parameters():
            param.grad = GOLDEN[f'grad{step}.{name}'].clone()
        optimizer.step()
        for name, param in model.named_parameters():
            torch.testing.assert_close(param.data, GOLDEN[f'param{step}.{name}'], rtol=1e-6, atol=1e-7)


def test_the_trust_ratio_of_lamb_is_at_most_one():
    model = nn.Linear(2, 2, bias=False)
    nn.init.constant_(model.weight, 100.0)
    model.weight.grad = torch.full((2, 2), 0.1)
    optim_wrapper(model).optimizer.step()
    # update = grad / |grad| + decay = 1 + 0.05 * 100 = 6 each: |weight| / |update| = 200 / 12, clipped to 1
    torch.testing.assert_close(model.weight.data, torch.full((2, 2), 100 - 2.4e-3 * 6))


def test_exactly_the_parameters_with_one_dimension_are_not_decayed():
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 3, groups=4), nn.Conv1d(4, 4, 1), nn.BatchNorm1d(4),
        nn.LayerNorm(4), nn.Linear(4, 2))
    decay = {p: group['weight_decay'] for group in optim_wrapper(model).param_groups for p in group['params']}
    assert [decay[p] for p in model.parameters()] == [0.05 if p.ndim > 1 else 0 for p in model.parameters()]


@pytest.fixture(scope='module')
def rates_v2() -> list[float]:
    """The learning rate of every iteration, 1000 an epoch: the golden epochs are whole iterations then."""
    return learning_rates(SCHEDULE.param_scheduler, SCHEDULE.optim_wrapper.optimizer.lr, 200_000, epoch_length=1000)


@pytest.mark.parametrize('epoch, lr', FACTS['lr_v2']['epoch_lr'])
def test_schedule_of_meta_spikeformer_is_that_of_the_reference(rates_v2, epoch, lr):
    assert rates_v2[round(epoch * 1000)] == pytest.approx(lr, rel=1e-6, abs=1e-13)


def test_warm_up_reaches_the_full_rate_after_ten_epochs_of_imagenet():
    rates = learning_rates(SCHEDULE.param_scheduler, 2.4e-3, 10 * 1251 + 1, epoch_length=1251)
    assert rates[5 * 1251] == pytest.approx(1.2e-3, rel=1e-6)
    assert rates[10 * 1251] == pytest.approx(2.4e-3, rel=1e-6)


def test_schedule_of_spike_driven_transformer_v1_is_that_of_the_reference():
    # timm's cosine has counted from epoch 0 when it takes over at epoch 20, so the rate jumps there, by 1 / jump:
    # LinearLR and ConstantLR together are the warm-up up to epoch 19, ConstantLR ends in that jump.
    cosine = 0.02 + 0.98 * (1 + torch.tensor(20 * torch.pi / 300, dtype=torch.float64).cos().item()) / 2
    jump = 0.9505 / cosine  # 0.9505 = 0.01 + 0.99 * 19 / 20
    rates = learning_rates([
        dict(type='LinearLR', start_factor=0.01 / jump, end_factor=cosine, begin=0, end=20),
        dict(type='ConstantLR', factor=jump, begin=0, end=21),
        dict(type='CosineAnnealingLR', T_max=300, eta_min=2e-5, begin=21, end=301, last_step=20),
    ], lr=1e-3, steps=310)
    for epoch, lr in FACTS['lr_v1']['epoch_lr']:
        assert rates[epoch] == pytest.approx(lr, rel=1e-6), epoch
