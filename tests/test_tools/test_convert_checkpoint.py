"""The converter writes a checkpoint that loads strictly, or nothing."""

import argparse
import runpy
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from spikemm.engine.checkpoint import TRUST

TOOL = runpy.run_path(str(Path(__file__).parents[2] / 'tools/model_converters/convert_checkpoint.py'))

CONFIG = """
default_scope = 'mmpretrain'
arch = dict(preset='15m', embed_dims=(8, 16, 24, 32, 40), num_heads=4)
model = dict(
    type='ImageClassifier',
    backbone=dict(type='spikemm.MetaSpikeFormer', T=2, arch=arch),
    head=dict(type='spikemm.SpikeLinearClsHead', num_classes={num_classes}, in_channels=40))
"""


@pytest.fixture
def convert(monkeypatch):
    monkeypatch.setenv(TRUST, '0')  # and undo what --trust does
    return lambda *args: TOOL['main'](['sdt-v2', *map(str, args)])


@pytest.fixture
def refused(convert, capsys):
    """Run the tool, which must fail, and return what it says."""

    def run(*args):
        with pytest.raises(SystemExit) as end:
            convert(*args)
        assert end.value.code == 1
        return capsys.readouterr().err

    return run


@pytest.fixture(scope='module')
def published(golden):
    tensors, _ = golden('sdt_v2_T2')
    return {key.removeprefix('state.'): value for key, value in tensors.items() if key.startswith('state.')}


@pytest.fixture
def config(tmp_path):
    path = tmp_path / 'config.py'
    path.write_text(CONFIG.format(num_classes=10))
    return path


def test_every_published_weight_is_in_a_checkpoint_that_fits_the_config(convert, published, config, tmp_path, capsys):
    src, dst = tmp_path / 'published.pth', tmp_path / 'new' / 'ours.pth'
    torch.save({'model': published, 'epoch': 3}, src)
    convert(src, dst, '--config', config)
    checkpoint = torch.load(dst, weights_only=True)
    assert sorted(map(torch.numel, checkpoint['state_dict'].values())) == sorted(map(torch.numel, published.values()))
    assert checkpoint['meta']['source_file'] == 'published.pth'
    assert f'{len(published)} keys, 314,970 parameters.' in capsys.readouterr().out  # as many as the reference has


def test_weights_that_do_not_fit_the_config_are_named_and_nothing_is_written(refused, published, config, tmp_path):
    config.write_text(CONFIG.format(num_classes=11))
    src, dst = tmp_path / 'published.safetensors', tmp_path / 'ours.pth'
    save_file(published, src)
    assert '2 of another shape, first head.fc.weight' in refused(src, dst, '--config', config)
    assert list(tmp_path.glob('*ours*')) == []


def test_a_file_that_needs_unpickling_is_refused_until_it_is_trusted(convert, refused, published, tmp_path):
    src, dst = tmp_path / 'published.pth', tmp_path / 'ours.pth'
    torch.save({'state_dict': published, 'args': argparse.Namespace(lr=1)}, src)
    message = refused(src, dst)
    assert 'argparse.Namespace' in message and '--trust' in message
    assert not dst.exists()
    convert(src, dst, '--trust')
    torch.load(dst, weights_only=True)


def test_weights_of_another_model_are_refused_by_their_key(refused, tmp_path):
    src = tmp_path / 'resnet.pth'
    torch.save({'layer1.0.conv1.weight': torch.zeros(1)}, src)
    assert "'layer1.0.conv1.weight' is not a key of 'sdt-v2' weights" in refused(src, tmp_path / 'ours.pth')


@pytest.mark.parametrize('content', [b'', b'not a checkpoint', None], ids=['empty', 'text', 'missing'])
def test_what_is_no_checkpoint_is_named(refused, tmp_path, content):
    src = tmp_path / 'broken.pth'
    if content is not None:
        src.write_bytes(content)
    assert 'broken.pth' in refused(src, tmp_path / 'ours.pth')
