"""A tiny spiking classifier of recordings, with random weights: a config, a checkpoint, recordings."""

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope

from spikemm.datasets.events import make_events

CONFIG = """
default_scope = 'mmpretrain'
neuron = dict(type='LIF', v_threshold=0.02)  # low enough that random weights fire up to the head
model = dict(
    type='ImageClassifier',
    backbone=dict(type='spikemm.MetaSpikeFormer', arch='nano', in_channels=2, neuron=neuron),
    head=dict(type='spikemm.SpikeLinearClsHead', num_classes=3, in_channels=96, neuron=neuron))
data_preprocessor = dict(type='spikemm.EventDataPreprocessor', num_classes=3)
test_dataloader = dict(dataset=dict(
    type='spikemm.EventFolder', data_root='nowhere', classes=['fist', 'palm', 'wave'], sensor_size=(34, 34),
    test_mode=True, pipeline=[
        dict(type='spikemm.LoadEvents'), dict(type='spikemm.EventFrames', {frames}), dict(type='PackInputs')]))
"""


def write_model(folder, frames: str = 'T=5'):
    """Write a config, whose EventFrames has the arguments ``frames``, and a checkpoint; return both files."""
    config, checkpoint = folder / 'events.py', folder / 'events.pth'
    config.write_text(CONFIG.format(frames=frames))
    torch.manual_seed(0)
    cfg = Config.fromfile(config)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = MODELS.build(dict(cfg.model, data_preprocessor=cfg.data_preprocessor))
    model.head.fc.weight.data.normal_(0, 0.5)  # opinions that differ from one time step to the next
    torch.save(model.state_dict(), checkpoint)
    return config, checkpoint


def events(number: int = 4000, seed: int = 0, start: int = 1000, length: int = 50_000) -> np.ndarray:
    """Events that begin at ``start`` us and move from the left of the sensor to its right."""
    rng = np.random.default_rng(seed)
    t = np.sort(rng.integers(0, length, number))
    t[0], t[-1] = 0, length
    x = np.clip(t * 34 // length + rng.integers(-6, 7, number), 0, 33)
    return make_events(start + t, x, rng.integers(0, 34, number), rng.integers(0, 2, number))
