"""The tool turns a trained ANN into a checkpoint of its spiking network, or writes nothing."""

import runpy
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

from spikemm.analysis.inputs import build_model
from spikemm.apis import evaluate, evaluate_config, parse_test_args

TOOL = runpy.run_path(str(Path(__file__).parents[2] / 'tools/model_converters/ann2snn.py'))

CONFIG = """
default_scope = 'mmpretrain'
ann = dict(type='ResNet_CIFAR', depth=18, stem_channels=8, base_channels=8, strides=(2, 2, 2, 2))
model = dict(
    type='ImageClassifier',
    backbone=dict(type='spikemm.ConvertedANN', ann=ann, T=256),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes=3, in_channels=64))
data_preprocessor = dict(num_classes=3, mean=[127.] * 3, std=[60.] * 3)
test_dataloader = dict(
    batch_size=4, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='CustomDataset', data_root='{folder}', pipeline=[
        dict(type='LoadImageFromFile'), dict(type='PackInputs')]))
train_dataloader = dict(
    batch_size=4, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type='CustomDataset', data_root='{folder}', pipeline=[
        dict(type='LoadImageFromFile'), dict(type='RandomCrop', crop_size=8), dict(type='PackInputs')]))
test_evaluator = dict(type='Accuracy', topk=(1, ))
test_cfg = dict()
train_cfg, optim_wrapper = dict(by_epoch=True, max_epochs=1), dict(optimizer=dict(type='SGD', lr=0.1))
"""


@pytest.fixture(scope='module')
def files(tmp_path_factory):
    """Config of the spiking network, checkpoint of the ANN, and the ANN."""
    folder = tmp_path_factory.mktemp('ann2snn')
    rng = np.random.default_rng(0)
    for label in '012':
        (folder / 'images' / label).mkdir(parents=True)
        for i in range(4):
            image = rng.integers(256, size=(32, 32, 3), dtype=np.uint8)
            cv2.imwrite(str(folder / 'images' / label / f'{i}.png'), image)
    config, checkpoint = folder / 'snn.py', folder / 'ann.pth'
    config.write_text(CONFIG.format(folder=folder / 'images'))
    cfg = Config.fromfile(config)
    cfg.model.backbone = cfg.model.backbone.ann
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        ann = build_model(cfg)
    ann.backbone.train()
    with torch.no_grad():
        for _ in range(20):
            ann.extract_feat(torch.randn(4, 3, 32, 32))
    ann.backbone.eval()
    torch.save(dict(state_dict=ann.state_dict(), meta=dict(dataset_meta=dict(classes=['a', 'b', 'c']))), checkpoint)
    return config, checkpoint, ann


def convert(*args):
    TOOL['main']([str(arg) for arg in args])


def test_the_checkpoint_is_tested_with_the_config_and_answers_as_the_ann_does(files, tmp_path):
    config, checkpoint, ann = files
    convert(config, checkpoint, tmp_path / 'snn.pth', '--mode', 'max')
    args = [config, tmp_path / 'snn.pth', '--work-dir', tmp_path, '--out', tmp_path / 'out.pkl']
    evaluate(evaluate_config(args := parse_test_args([str(arg) for arg in args])), args.out)
    cfg = Config.fromfile(config)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        spiking = build_model(cfg)
    spiking.load_state_dict(torch.load(tmp_path / 'snn.pth', weights_only=False)['state_dict'])
    x = torch.randn(4, 3, 32, 32)
    with torch.no_grad():
        expected, found = ann.extract_feat(x)[0], spiking.extract_feat(x)[0]
    assert (found - expected).norm() < 0.2 * expected.norm()
    assert (tmp_path / 'out.pkl').stat().st_size > 0


def test_scales_are_those_of_the_training_images_as_the_test_pipeline_shows_them(files, tmp_path):
    config, checkpoint, ann = files
    seen = []
    ann.backbone.relu.register_forward_hook(lambda module, args, out: seen.append(out.max()))
    images = [cv2.imread(str(path)) for path in config.parent.glob('images/*/*.png')]
    images = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float()
    with torch.no_grad():
        ann.backbone((images - 127) / 60)
    convert(config, checkpoint, tmp_path / 'snn.pth', '--mode', 'max')
    state = torch.load(tmp_path / 'snn.pth', weights_only=False)['state_dict']
    scale = state['backbone.net.spiking_0.scaler1.scale']
    assert 0.6 * seen[0] < scale <= seen[0]  # a moving average of the maxima of the batches


def test_a_smaller_share_of_the_maximum_is_a_smaller_scale(files, tmp_path):
    config, checkpoint, _ = files
    scales = []
    for mode in ('max', '0.5'):
        convert(config, checkpoint, tmp_path / 'snn.pth', '--mode', mode)
        state = torch.load(tmp_path / 'snn.pth', weights_only=False)['state_dict']
        scales.append(state['backbone.net.spiking_0.scaler1.scale'])
    torch.testing.assert_close(scales[1], scales[0] / 2)


def test_the_classes_stay_in_the_checkpoint(files, tmp_path):
    config, checkpoint, _ = files
    convert(config, checkpoint, tmp_path / 'snn.pth', '--batches', 1)
    meta = torch.load(tmp_path / 'snn.pth', weights_only=False)['meta']
    assert meta['dataset_meta'] == dict(classes=['a', 'b', 'c'])
    assert (meta['mode'], meta['batches']) == ('99.9%', 1)


def test_a_config_of_another_network_is_refused(files, tmp_path, capsys):
    config, checkpoint, _ = files
    other = tmp_path / 'other.py'
    other.write_text(f'_base_ = {str(config)!r}\nmodel = dict(backbone=dict(type="ResNet"))')
    with pytest.raises(SystemExit):
        convert(other, checkpoint, tmp_path / 'snn.pth')
    assert 'must be a spikemm.ConvertedANN, but is ResNet' in capsys.readouterr().err
    assert not (tmp_path / 'snn.pth').exists()


def test_a_checkpoint_of_another_ann_is_refused(files, tmp_path, capsys):
    config, _, ann = files
    torch.save(dict(state_dict=ann.backbone.state_dict()), tmp_path / 'other.pth')
    with pytest.raises(SystemExit):
        convert(config, tmp_path / 'other.pth', tmp_path / 'snn.pth')
    assert 'does not fit the ANN of the config' in capsys.readouterr().err


@pytest.mark.parametrize('mode', ['mean', '0', '1.5', '101%'])
def test_an_unknown_mode_is_refused(files, tmp_path, mode, capsys):
    config, checkpoint, _ = files
    with pytest.raises(SystemExit):
        convert(config, checkpoint, tmp_path / 'snn.pth', '--mode', mode)
    assert 'mode must be a quantile' in capsys.readouterr().err
