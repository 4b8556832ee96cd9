"""A tiny spiking classifier of two classes with random weights: a config, a checkpoint and an image folder."""

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope

CONFIG = """
default_scope = 'mmpretrain'
neuron = dict(type='LIF', v_threshold=0.05)  # low enough that random weights fire up to the head
model = dict(
    type='ImageClassifier',
    backbone=dict(type='spikemm.MetaSpikeFormer', arch='nano', T=2, neuron=neuron),
    head=dict(type='spikemm.SpikeLinearClsHead', num_classes=2, in_channels=96, neuron=neuron))
data_preprocessor = dict(num_classes=2, mean=[100., 110., 120.], std=[50., 60., 70.], to_rgb=True)
test_dataloader = dict(dataset=dict(
    type='spikemm.ImageFolder', data_root='{images}', classes=['cat', 'dog'], test_mode=True,
    pipeline=[dict(type='spikemm.LoadImage'), dict(type='PackInputs')]))
"""


@pytest.fixture(scope='session')
def image_folder(tmp_path_factory):
    """Three cats and five dogs of 32x32 pixels, on which neurons fire."""
    folder = tmp_path_factory.mktemp('images')
    rng = np.random.default_rng(0)
    for name, number in (('cat', 3), ('dog', 5)):
        (folder / name).mkdir()
        for i in range(number):
            cv2.imwrite(str(folder / name / f'{i}.png'), rng.integers(0, 256, (32, 32, 3), dtype=np.uint8))
    return folder


@pytest.fixture
def config(image_folder, tmp_path):
    path = tmp_path / 'tiny.py'
    path.write_text(CONFIG.format(images=image_folder))
    return path


@pytest.fixture
def model(config):
    torch.manual_seed(0)
    cfg = Config.fromfile(config)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        return MODELS.build(dict(cfg.model, data_preprocessor=cfg.data_preprocessor)).eval()


@pytest.fixture
def checkpoint(model, tmp_path):
    path = tmp_path / 'tiny.pth'
    torch.save(dict(state_dict=model.state_dict(), meta=dict(dataset_meta=dict(classes=['cat', 'dog']))), path)
    return path
