"""The energy that a test reports with its accuracy."""

import json
from pathlib import Path

import pytest
import torch
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn

from spikemm.analysis.measure import measure
from spikemm.engine.hooks import EnergyHook
from spikemm.layers import ConvBN
from spikemm.neurons import LIF


class Net(BaseModel):
    """Spikes of 4 neurons into 2, more of them the brighter a sample is."""

    def __init__(self):
        super().__init__()
        self.neuron, self.layer = LIF(v_reset=None, decay_input=False), nn.Linear(4, 2, bias=False)

    def forward(self, inputs, mode):
        self.layer(self.neuron(inputs[None] * torch.linspace(0.1, 0.7, 4)))
        return [{} for _ in inputs]


class Foldable(Net):
    """With a norm to fold."""

    def __init__(self):
        super().__init__()
        self.stem = ConvBN(1, 1, 1)
        nn.init.ones_(self.stem.conv.weight)

    def forward(self, inputs, mode):
        return super().forward(self.stem(inputs[None, :, None, :, None])[0, :, 0, :, 0], mode)


class Sorted(torch.utils.data.Dataset):
    metainfo = {}

    def __len__(self):
        return 6

    def __getitem__(self, index):
        return {'inputs': torch.full((4, ), index + 1.0)}


class Nothing(BaseMetric):
    def process(self, data_batch, data_samples):
        self.results.append(None)

    def compute_metrics(self, results):
        return {'accuracy': 50.0}


LOADER = {
    'dataset': Sorted(), 'batch_size': 1, 'num_workers': 0, 'sampler': {'type': 'DefaultSampler', 'shuffle': False},
    'collate_fn': {'type': 'default_collate'}}


@pytest.fixture
def run(tmp_path):
    """Test a model with the hook; return the runner, the metrics and the report."""

    def run_test(model, name, hooks=(), **settings):
        hook = EnergyHook(out_dir=str(tmp_path), **settings)
        runner = Runner(
            model, str(tmp_path), experiment_name=f'energy {name}', default_hooks={'checkpoint': None},
            custom_hooks=[hook, *hooks], test_dataloader=LOADER, test_cfg={}, test_evaluator=Nothing())
        metrics = runner.test()
        return runner, metrics, json.loads((tmp_path / 'energy' / 'report.json').read_text())

    return run_test


def test_energy_and_accuracy_are_reported_together(run):
    model = Net()
    runner, metrics, report = run(model, 'together')
    alone = measure(model, [{'inputs': torch.full((1, 4), i + 1.0)} for i in range(6)])
    assert alone.counts.acs > 0
    assert metrics == {
        'accuracy': 50.0, 'energy/mJ': alone.energies['exact'].mj, 'energy/macs_G': 0.0,
        'energy/acs_G': alone.counts.acs / 1e9, 'energy/firing_rate': alone.counts.rate, 'energy/spike_driven': 1}
    assert report['metrics'] == {'accuracy': 50.0}
    log = (Path(runner.log_dir) / f'{runner.timestamp}.log').read_text()
    assert 'spike-driven' in log and 'energy/acs_G: ' in log


@pytest.mark.parametrize(('number', 'wanted'), [(1, [0]), (2, [0, 5]), (3, [0, 2, 5]), (6, [0, 1, 2, 3, 4, 5])])
def test_the_samples_that_are_counted_are_spread_over_the_test(run, number, wanted):
    _, _, report = run(Net(), f'spread{number}', num_samples=number)
    each = [measure(Net().eval(), [{'inputs': torch.full((1, 4), i + 1.0)}]).counts.acs for i in range(6)]
    assert len(set(each)) > 2
    assert report['counts']['sample_acs'] == [each[i] for i in wanted]


def test_the_folded_model_is_tested_and_the_own_one_comes_back(run):
    model = Foldable()
    runner, _, report = run(model, 'folded')
    assert report['source']['graph'] == 'spike'
    assert runner.model is model
    assert 'test_step' not in vars(model)


def test_the_trained_graph_stays_if_asked_for(run):
    assert run(Foldable(), 'trained', graph='train')[2]['source']['graph'] == 'train'


class Silence(Hook):
    """Like EMAHook it changes the weights when the epoch begins."""

    def before_test_epoch(self, runner):
        runner.model.stem.bn.weight.data.zero_()


def test_weights_that_another_hook_puts_in_are_those_that_are_folded(run):
    assert run(Foldable(), 'own')[1]['energy/firing_rate'] > 0
    assert run(Foldable(), 'silenced', [Silence()])[1]['energy/firing_rate'] == 0


@pytest.mark.parametrize(('settings', 'message'), [
    (dict(num_samples=0), 'num_samples must be at least 1 or None, but got 0'),
    (dict(graph='chip'), "graph must be one of .* but got 'chip'")])
def test_bad_settings_are_refused_before_the_run(settings, message):
    with pytest.raises(ValueError, match=message):
        EnergyHook(**settings)
