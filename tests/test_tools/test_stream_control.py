"""``stream_control.py``: streams of recordings against calls with whole recordings."""

import runpy
import sys

import pytest
import torch
from mmengine.registry import MODELS
from tool_runs import TOOLS
from torch import nn

from spikemm.datasets.events import make_events, write_atis
from spikemm.neurons import LIF

CONFIG = """
default_scope = 'mmpretrain'
model = dict(
    type='ImageClassifier',
    backbone=dict(type='StreamControlNet'),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes=2, in_channels=2))
data_preprocessor = dict(type='spikemm.EventDataPreprocessor', num_classes=2)
test_dataloader = dict(dataset=dict(
    type='spikemm.EventFolder', data_root='{folder}', classes=['off', 'on'], sensor_size=(8, 8), test_mode=True,
    pipeline=[dict(type='spikemm.LoadEvents'), dict(type='spikemm.EventFrames', T=4), dict(type='PackInputs')]))
"""


@MODELS.register_module()
class StreamControlNet(nn.Module):
    """A neuron for each polarity, that needs two events in a row to fire."""

    def __init__(self):
        super().__init__()
        self.neuron = LIF(v_threshold=1.2, v_reset=None, decay_input=False)

    def forward(self, x):
        return (self.neuron(x.sum((-2, -1), keepdim=True)).mean(0),)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run the tool on two recordings, of which each has two events of its class in a row."""
    config, checkpoint, folder = tmp_path / 'config.py', tmp_path / 'weights.pth', tmp_path / 'events'
    config.write_text(CONFIG.format(folder=folder))
    torch.save({'head.fc.weight': torch.eye(2), 'head.fc.bias': torch.zeros(2)}, checkpoint)
    for label, name in enumerate(('off', 'on')):
        (folder / name).mkdir(parents=True)
        p = [label, label, 1 - label, label]
        write_atis(folder / name / '0.bin', make_events([0, 1100, 2100, 4000], [3] * 4, [3] * 4, p))

    def run(*flags, replace=()):
        for old, new in replace:
            config.write_text(config.read_text().replace(old, new))
        monkeypatch.setattr(sys, 'argv', ['stream_control.py', str(config), str(checkpoint), *flags])
        runpy.run_path(str(TOOLS / 'analysis_tools/stream_control.py'))['main']()

    return run


def test_the_configs_windows_agree_with_the_whole_and_others_need_not(run, capsys):
    run('--window-ms', '0.5', '4')
    rows = [line.strip('| ').split(' | ') for line in capsys.readouterr().out.splitlines() if line.startswith('| ')][1:]
    assert [row[0] for row in rows] == [
        'whole recording', "stream, the config's windows", 'stream, windows of 0.5 ms', 'stream, windows of 4 ms']
    whole, own, *others = [[float(value) for value in row[1:]] for row in rows]
    assert whole == [100, 100, 0]
    assert own[:2] == [100, 100] and own[2] < 1e-6
    assert all(difference > 0.01 for *_, difference in others)


def test_a_config_of_images_is_refused(run, capsys):
    with pytest.raises(SystemExit):
        run(replace=[('spikemm.EventDataPreprocessor', 'ClsDataPreprocessor'),
                     ('spikemm.LoadEvents', 'LoadImageFromFile'), ("dict(type='spikemm.EventFrames', T=4), ", '')])
    assert 'must be a config that classifies event recordings' in capsys.readouterr().err
