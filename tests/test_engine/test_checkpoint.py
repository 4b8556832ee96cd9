"""Checkpoints are loaded as data, written whole, and kept until there is a newer one."""

import argparse
import os
import pickle
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.fileio import LocalBackend
from mmengine.logging import HistoryBuffer, MessageHub, MMLogger
from mmengine.runner import CheckpointLoader, save_checkpoint

from spikemm.engine.checkpoint import TRUST
from spikemm.engine.hooks import SafeCheckpointHook


class Call:
    """Unpickled, it calls a function."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


@pytest.fixture
def stored(tmp_path):
    def store(**content):
        torch.save({'state_dict': {'weight': torch.ones(2)}, **content}, tmp_path / 'stored.pth')
        return str(tmp_path / 'stored.pth')

    return store


@pytest.mark.parametrize(('function', 'args'), [
    (os.mkdir, ('trap',)),
    (exec, ('import os; os.mkdir("trap")',)),
    (getattr, (HistoryBuffer, '__init__')),  # from where all of mmengine can be reached
])
def test_a_hostile_checkpoint_does_nothing(stored, tmp_path, monkeypatch, function, args):
    monkeypatch.chdir(tmp_path)
    path = stored(message_hub=Call(function, *args))
    with pytest.raises(pickle.UnpicklingError, match='is not a plain file of weights'):
        CheckpointLoader.load_checkpoint(path)
    assert not (tmp_path / 'trap').exists()


def test_a_file_that_needs_more_is_loaded_when_its_origin_is_trusted(stored, monkeypatch):
    path = stored(args=argparse.Namespace(lr=0.1))
    with pytest.raises(pickle.UnpicklingError, match=r'\(argparse.Namespace\).* --trust-checkpoint'):
        CheckpointLoader.load_checkpoint(path)
    monkeypatch.setenv(TRUST, '1')
    assert CheckpointLoader.load_checkpoint(path)['args'].lr == 0.1


def test_a_url_is_loaded_as_strictly(stored, tmp_path, monkeypatch):
    path = Path(stored(message_hub=Call(os.mkdir, str(tmp_path / 'trap'))))
    (tmp_path / 'hub' / 'checkpoints').mkdir(parents=True)
    path.rename(tmp_path / 'hub' / 'checkpoints' / 'stored.pth')  # where torch.hub keeps its downloads
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path / 'hub'))
    with pytest.raises(pickle.UnpicklingError, match=r"Refused to load 'https://example.org/stored.pth'"):
        CheckpointLoader.load_checkpoint('https://example.org/stored.pth')
    assert not (tmp_path / 'trap').exists()


def test_what_a_runner_stores_is_loaded(stored):
    losses = HistoryBuffer([1.0, 0.5], [1, 1])
    path = stored(message_hub={'loss': losses, 'best': np.float32(0.5), 'palette': np.zeros(3, 'u1')})
    hub = CheckpointLoader.load_checkpoint(path)['message_hub']
    assert hub['loss'].mean() == 0.75 and hub['best'] == np.float32(0.5) and hub['palette'].dtype == np.uint8


def test_a_file_written_under_numpy_1_is_loaded(stored, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(np._core.multiarray.scalar, '__module__', 'numpy.core.multiarray')  # its name there
        path = stored(best=np.float64(0.5))
    assert b'cnumpy.core.multiarray' in Path(path).read_bytes()
    assert CheckpointLoader.load_checkpoint(path)['best'] == 0.5


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / 'epoch_1.pth'
    LocalBackend().put(b'old', path)

    def full(descriptor):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(os, 'fsync', full)
    with pytest.raises(OSError, match=f'No space left on device; 3 bytes could not be stored.*{path}'):
        LocalBackend().put(b'new', path)
    assert path.read_bytes() == b'old' and os.listdir(tmp_path) == ['epoch_1.pth']


def test_a_write_through_a_link_keeps_the_link(tmp_path):
    (tmp_path / 'link').symlink_to(tmp_path / 'file')
    LocalBackend().put(b'new', tmp_path / 'link')
    assert (tmp_path / 'link').is_symlink() and (tmp_path / 'file').read_bytes() == b'new'


@pytest.fixture
def runner(tmp_path):
    """What a CheckpointHook uses of a runner; ``full_for`` is the start of the names that cannot be stored."""

    def save(out_dir, filename, *args, **kwargs):
        if filename.startswith(runner.full_for):
            raise OSError(28, 'No space left on device')
        save_checkpoint({'step': runner.epoch}, os.path.join(out_dir, filename))

    runner = SimpleNamespace(
        work_dir=str(tmp_path), epoch=0, iter=0, save_checkpoint=save, full_for='nothing',
        message_hub=MessageHub(str(tmp_path)), logger=MMLogger.get_current_instance())
    return runner


def test_the_best_checkpoint_stays_until_a_better_one_is_stored(runner, tmp_path):
    hook = SafeCheckpointHook(interval=1, save_best='accuracy', rule='greater')
    hook.before_train(runner)
    for runner.epoch, accuracy in (1, 0.5), (2, 0.6):
        hook.after_val_epoch(runner, {'accuracy': accuracy})
    assert os.listdir(tmp_path) == ['best_accuracy_epoch_2.pth']
    runner.epoch, runner.full_for = 3, 'best'
    with pytest.raises(OSError):
        hook.after_val_epoch(runner, {'accuracy': 0.7})
    assert os.listdir(tmp_path) == ['best_accuracy_epoch_2.pth']


def test_the_oldest_checkpoint_goes_when_the_newest_is_stored(runner, tmp_path):
    hook = SafeCheckpointHook(interval=1, max_keep_ckpts=2)
    hook.before_train(runner)
    for runner.epoch in range(4):
        hook._save_checkpoint(runner)
    assert sorted(os.listdir(tmp_path)) == ['epoch_3.pth', 'epoch_4.pth', 'last_checkpoint']
    assert runner.message_hub.get_info('keep_ckpt_ids') == [3, 4]
    assert (tmp_path / 'last_checkpoint').read_text() == str(tmp_path / 'epoch_4.pth')
