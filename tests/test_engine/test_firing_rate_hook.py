"""The firing rates that a run reports are those of its neurons."""

from pathlib import Path

import pytest
import torch
from mmengine.model import BaseModel
from mmengine.runner import Runner
from spikingjelly.activation_based.neuron import IFNode
from torch import nn

from spikemm.engine.hooks import FiringRateHook


class Layers(BaseModel):
    """Four neurons a layer, over four time steps, with constant inputs: each fires every 1 / input steps."""

    INPUTS = {'silent': 0.0, 'quarter': 0.25, 'always': 1.0}

    def __init__(self):
        super().__init__()
        self.neurons = nn.ModuleDict({name: IFNode(step_mode='m') for name in self.INPUTS})
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, inputs, mode):
        for name, current in self.INPUTS.items():
            self.neurons[name].reset()
            self.neurons[name](torch.full((4, 1, 4), current))
        observed = [len(neuron._forward_hooks) for neuron in self.neurons.values()]
        self.observed = [*getattr(self, 'observed', []), any(observed)]
        return {'loss': self.weight * 0} if mode == 'loss' else [{}]


class Nothing(torch.utils.data.Dataset):
    metainfo = {}

    def __len__(self):
        return 6

    def __getitem__(self, index):
        return {'inputs': torch.zeros(())}


LOADER = {'dataset': Nothing(), 'batch_size': 1, 'num_workers': 0, 'sampler': {'type': 'DefaultSampler'}}


class WithoutRegions(Layers):
    """With a head of regions on an image that has none."""

    def __init__(self):
        super().__init__()
        self.neurons['regions'] = IFNode(step_mode='m')

    def forward(self, inputs, mode):
        self.neurons['regions'].reset()
        self.neurons['regions'](torch.empty(4, 0, 4))
        return super().forward(inputs, mode)


def run(tmp_path, name, model=Layers, **kwargs):
    return Runner(
        model(), str(tmp_path), experiment_name=name, default_hooks={'checkpoint': None, 'logger': None},
        custom_hooks=[FiringRateHook(interval=3)], **kwargs)


@pytest.fixture
def train(tmp_path):
    return run(
        tmp_path, 'firing', train_dataloader=LOADER, train_cfg={'by_epoch': True, 'max_epochs': 1},
        optim_wrapper={'optimizer': {'type': 'SGD', 'lr': 0.0}})


def test_the_rate_is_spikes_per_neuron_and_time_step(train):
    train.train()
    assert train.message_hub.get_scalar('train/firing_rate').current() == pytest.approx((0 + 0.25 + 1) / 3)
    assert train.message_hub.get_info('firing_rate') == {
        'neurons.silent': 0.0, 'neurons.quarter': 0.25, 'neurons.always': 1.0}
    log = Path(train.log_dir) / f'{train.timestamp}.log'
    assert 'firing rate 0.417 (silent: neurons.silent; saturated: neurons.always; ' in log.read_text()


def test_the_model_is_observed_at_the_interval_only(train):
    train.train()
    assert train.model.observed == [False, False, True, False, False, True]
    assert not any(neuron._forward_hooks for neuron in train.model.neurons.values())


def test_the_first_batch_of_a_validation_is_observed(tmp_path):
    runner = run(tmp_path, 'firing val', val_dataloader=LOADER, val_cfg={}, val_evaluator=[])
    runner.val()
    assert runner.model.observed == [True, False, False, True, False, False]
    assert runner.message_hub.get_scalar('val/firing_rate').current() == pytest.approx(1.25 / 3)


class OneDeadChannel(Layers):
    """With one more layer, of which the first of four channels never fires."""

    def __init__(self):
        super().__init__()
        self.neurons['partly'] = IFNode(step_mode='m')

    def forward(self, inputs, mode):
        for _ in range(2):  # a layer that runs twice has its channels once
            self.neurons['partly'].reset()
            self.neurons['partly'](torch.tensor([0.0, 0.25, 1, 1]).expand(4, 1, 4))
        return super().forward(inputs, mode)


def test_channels_that_are_silent_are_counted(tmp_path):
    runner = run(
        tmp_path, 'channels', OneDeadChannel, train_dataloader=LOADER, train_cfg={'by_epoch': True, 'max_epochs': 1},
        optim_wrapper={'optimizer': {'type': 'SGD', 'lr': 0.0}})
    runner.train()
    log = Path(runner.log_dir) / f'{runner.timestamp}.log'
    assert 'silent channels: 5 of 16)' in log.read_text(), 'the four of the silent layer and one'


def test_an_interval_below_one_is_refused():
    with pytest.raises(ValueError, match='interval must be at least 1 iteration, but got 0'):
        FiringRateHook(interval=0)


def test_a_neuron_without_any_input_has_no_rate(tmp_path):
    runner = run(
        tmp_path, 'regions', WithoutRegions, train_dataloader=LOADER, train_cfg={'by_epoch': True, 'max_epochs': 1},
        optim_wrapper={'optimizer': {'type': 'SGD', 'lr': 0.0}})
    runner.train()
    rates = runner.message_hub.get_info('firing_rate')
    assert set(rates) == {'neurons.silent', 'neurons.quarter', 'neurons.always'}
