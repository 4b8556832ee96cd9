"""``time_control.py``: the accuracy of a classifier of events with its time steps in other orders."""

import runpy
import sys

import pytest
import torch
from mmengine.registry import MODELS
from tool_runs import TOOLS
from torch import nn

from spikemm.datasets.events import make_events, write_atis

CONFIG = """
default_scope = 'mmpretrain'
model = dict(
    type='ImageClassifier',
    backbone=dict(type='{backbone}'),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes=2, in_channels=2))
data_preprocessor = dict(type='{preprocessor}', num_classes=2)
test_dataloader = dict(
    batch_size=2, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='spikemm.EventFolder', data_root='{folder}', classes=['off', 'on'], sensor_size=(8, 8), test_mode=True,
        pipeline=[dict(type='spikemm.LoadEvents'), dict(type='spikemm.EventFrames', T={T}), dict(type='PackInputs')]))
"""


@MODELS.register_module()
class SumOfSteps(nn.Module):
    def forward(self, x):
        return (x.sum(0),)


@MODELS.register_module()
class LastStep(nn.Module):
    def forward(self, x):
        return (x[-1],)


@pytest.fixture
def table(tmp_path, monkeypatch, capsys):
    """Run the tool on recordings that end with events of their class and begin with more of the other; return rows."""

    def run(backbone, T=4, preprocessor='spikemm.EventDataPreprocessor'):
        config, checkpoint, folder = tmp_path / 'config.py', tmp_path / 'weights.pth', tmp_path / 'events'
        config.write_text(CONFIG.format(backbone=backbone, T=T, preprocessor=preprocessor, folder=folder))
        torch.save({'head.fc.weight': torch.eye(2), 'head.fc.bias': torch.zeros(2)}, checkpoint)
        for last, name in enumerate(('off', 'on')):
            (folder / name).mkdir(parents=True)
            p = [1 - last] * 3 + [1 - last, last, last, last]
            write_atis(folder / name / '0.bin', make_events([0, 1, 2, 400, 800, 801, 1000], [3] * 7, [3] * 7, p))
        monkeypatch.setattr(sys, 'argv', ['time_control.py', str(config), str(checkpoint), '--shuffles', '2'])
        runpy.run_path(str(TOOLS / 'analysis_tools/time_control.py'))['main']()
        rows = [line.strip('| ').split(' | ') for line in capsys.readouterr().out.splitlines() if line.startswith('| ')]
        return {name: (float(right), float(changed)) for name, right, changed in rows[1:]}

    return run


def test_a_model_that_ignores_the_order_changes_no_prediction(table):
    rows = table('SumOfSteps')
    assert [name.split(':')[0] for name in rows] == [
        'in order', 'reversed', 'shuffled', 'shuffled', 'mean frame at every step']
    assert {changed for _, changed in rows.values()} == {0}


def test_a_model_of_the_last_step_is_right_in_order_and_wrong_reversed(table):
    rows = table('LastStep')
    assert rows['in order'] == (100, 0)
    assert rows['reversed'] == (0, 100)


@pytest.mark.parametrize(('T', 'preprocessor'), [(1, 'spikemm.EventDataPreprocessor'), (4, 'ClsDataPreprocessor')])
def test_what_has_no_time_steps_is_refused(T, preprocessor, table):
    with pytest.raises(ValueError, match='A clip must be'):
        table('SumOfSteps', T, preprocessor)
