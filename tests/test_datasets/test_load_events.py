import copy
import logging

import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from spikemm.datasets import EventFolder
from spikemm.datasets.events import make_events, write_atis
from spikemm.datasets.transforms import LoadEvents
from spikemm.datasets.transforms.on_error import loaded_events, skipped_images
from spikemm.engine.hooks import BadImageHook


def events(count=4, width=8):
    number = np.arange(count)
    return make_events(1000 * number, number % width, number % 3, number % 2)


@pytest.fixture
def recording(tmp_path):
    write_atis(tmp_path / 'good.bin', events())
    return tmp_path / 'good.bin'


@pytest.fixture
def unsorted(tmp_path):
    write_atis(tmp_path / 'unsorted.bin', events()[[0, 2, 1, 3]])
    return tmp_path / 'unsorted.bin'


@pytest.fixture
def logged(monkeypatch):
    """What is logged: pairs of message and level."""
    logged = []
    monkeypatch.setattr(
        'spikemm.datasets.transforms.on_error.print_log', lambda message, _, level: logged.append((message, level)))
    return logged


def load(path, t_range=None, sensor_size=(8, 8), **kwargs):
    return LoadEvents(**kwargs)(dict(event_path=str(path), sensor_size=sensor_size, t_range=t_range))


def counts():
    return [count.value for count in loaded_events()]


def test_a_recording_becomes_events_and_the_size_of_the_sensor(recording, logged):
    results = load(recording)
    np.testing.assert_array_equal(results['events'], events())
    assert results['sensor_size'] == (8, 8)
    assert logged == []


def test_a_range_of_time_selects_events(recording):
    assert load(recording, t_range=(1000, 3000))['events']['t'].tolist() == [1000, 2000]


def test_a_range_without_events_is_an_empty_sample_with_a_warning(recording, logged):
    assert len(load(recording, t_range=(5000, 6000), on_error='skip')['events']) == 0
    assert logged == [(f'The recording {recording} has no event between 5000 and 6000 us.', logging.WARNING)]


def test_repaired_events_are_reported_once_a_file_and_counted_each_time(unsorted, logged):
    transform, before = LoadEvents(), counts()
    for _ in range(2):
        results = transform(dict(event_path=str(unsorted), sensor_size=(8, 8)))
    assert results['events']['t'].tolist() == [0, 1000, 2000, 3000]
    assert np.subtract(counts(), before).tolist() == [8, 2, 0, 0]
    (message, level), = logged
    assert str(unsorted) in message
    assert level == logging.WARNING


def test_after_ten_repaired_files_warnings_go_to_debug(tmp_path, logged):
    transform = LoadEvents()
    for i in range(12):
        write_atis(tmp_path / f'{i}.bin', events()[[0, 2, 1, 3]])
        copy.deepcopy(transform)(dict(event_path=str(tmp_path / f'{i}.bin'), sensor_size=(8, 8)))
    assert [level for _, level in logged] == [logging.WARNING] * 10 + [logging.DEBUG] * 2
    assert ['More files follow' in message for message, _ in logged] == [False] * 9 + [True] + [False] * 2


def test_workers_that_start_anew_do_not_warn_again(folder, tmp_path, monkeypatch):
    def write(message, *_):
        with open(tmp_path / 'log.txt', 'a') as file:
            file.write(message)

    monkeypatch.setattr('spikemm.datasets.transforms.on_error.print_log', write)
    data = EventFolder(str(folder), classes=['a', 'b'], sensor_size=(8, 8), indices=2, pipeline=[LoadEvents()])
    for _ in range(2):
        assert len(list(DataLoader(data, num_workers=2, collate_fn=list))) == 2
    assert (tmp_path / 'log.txt').read_text().count('is not as it must be') == 1


def test_what_is_unusual_is_logged_once_a_file_for_debugging(tmp_path, logged):
    write_atis(tmp_path / 'twice.bin', events()[[0, 0, 1]])
    for _ in range(2):
        load(tmp_path / 'twice.bin')
    (message, level), = logged
    assert f'{tmp_path}/twice.bin is unusual: ' in message
    assert level == logging.DEBUG


def test_dropped_events_are_counted(recording):
    before = counts()
    assert len(load(recording, sensor_size=(8, 3), outside='drop')['events']) == 3
    assert np.subtract(counts(), before).tolist() == [4, 0, 1, 0]


BROKEN = {
    'missing': (lambda path: None, r'not a file|not exist'),
    'empty': (lambda path: path.write_bytes(b''), 'the file is empty'),
    'cut off': (lambda path: path.write_bytes(b'1234567'), 'it ends inside an event'),
    'outside the sensor': (lambda path: write_atis(path, events(20, width=20)), r'outside'),
}


@pytest.mark.parametrize('kind', BROKEN)
def test_an_unusable_recording_is_named_with_reason_and_remedy(tmp_path, kind):
    make, reason = BROKEN[kind]
    make(tmp_path / 'bad.bin')
    with pytest.raises(ValueError, match=rf"Cannot use the recording .*bad\.bin \(.*{reason}[\s\S]*on_error='skip'"):
        load(tmp_path / 'bad.bin')


def test_a_recording_without_events_is_refused(tmp_path):
    columns = np.zeros(0, np.int64)
    np.savez(tmp_path / 'none.npz', t=columns, x=columns, y=columns, p=columns)
    with pytest.raises(ValueError, match=r'Cannot use the recording .*none\.npz \('):
        load(tmp_path / 'none.npz')


def test_skip_gives_none_a_warning_and_a_count(tmp_path, logged):
    before = skipped_images().value
    assert load(tmp_path / 'gone.bin', on_error='skip') is None
    assert skipped_images().value == before + 1
    assert logged[0][0].startswith(f'Skipped the recording {tmp_path}/gone.bin, which cannot be used (')


@pytest.mark.parametrize(('kwargs', 'problem'), [
    (dict(sensor_size=None), 'does not say how large the sensor is; .*`sensor_size` of the dataset'),
    (dict(sensor_size=(0, 8)), 'both positive'), (dict(time_unit='ms'), r'\.bin files are in us')])
def test_a_missing_or_wrong_setting_is_never_skipped(recording, kwargs, problem):
    with pytest.raises(ValueError, match=problem):
        load(recording, on_error='skip', **kwargs)


def test_time_stamps_without_a_unit_are_never_skipped(tmp_path):
    np.savez(tmp_path / 'seconds.npz', t=np.array([0.0, 0.5]), x=[0, 1], y=[0, 1], p=[0, 1])
    with pytest.raises(ValueError, match='give time_unit='):
        load(tmp_path / 'seconds.npz', on_error='skip')


def test_skipping_ends_when_no_file_of_many_can_be_used(recording):
    transform, good = LoadEvents(on_error='skip'), dict(event_path=str(recording), sensor_size=(8, 8))
    for sample in [dict(good, sensor_size=(1, 1))] * 99 + [good] + [dict(good, sensor_size=(1, 1))] * 99:
        transform(sample)
    with pytest.raises(ValueError, match=r'None of 100 samples in a row.*good\.bin \(.*outside the sensor'):
        transform(dict(good, sensor_size=(1, 1)))


def test_events_given_as_an_array_pass():
    results = dict(events=events(), sensor_size=(8, 8))
    assert LoadEvents()(results) is results


@pytest.mark.parametrize('wrong', [dict(on_error='ignore'), dict(outside='wrap'), dict(time_unit='min')])
def test_an_unknown_option_is_refused_when_the_transform_is_built(wrong):
    name, = wrong
    with pytest.raises(ValueError, match=f'`{name}` must be'):
        LoadEvents(**wrong)


def test_a_copied_transform_counts_with_the_original(unsorted):
    before = counts()
    copy.deepcopy(LoadEvents())(dict(event_path=str(unsorted), sensor_size=(8, 8)))
    assert counts()[0] == before[0] + 4


@pytest.fixture
def folder(tmp_path):
    """Classes a and b with two recordings each; one in a is out of order, one in b cut off."""
    root = tmp_path / 'folder'
    for name in 'ab':
        (root / name).mkdir(parents=True)
        for i in range(2):
            write_atis(root / name / f'{i}.bin', events())
    write_atis(root / 'a/1.bin', events()[[0, 2, 1, 3]])
    (root / 'b/1.bin').write_bytes(b'1234567')
    return root


def dataset(folder, pipeline):
    return EventFolder(
        str(folder), classes=['a', 'b'], sensor_size=(8, 8),
        pipeline=[dict(type='spikemm.LoadEvents', on_error='skip'), *pipeline])


def test_workers_add_to_one_count(folder, monkeypatch):
    monkeypatch.setattr(EventFolder, '_rand_another', lambda self: 0)  # a readable one
    before = counts()
    loader = DataLoader(dataset(folder, []), batch_size=2, num_workers=2, collate_fn=list)
    assert len([sample for batch in loader for sample in batch]) == 4
    read, repaired, *_ = np.subtract(counts(), before)
    assert read == 16
    assert repaired > 0


class Mean(BaseModel):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(()))

    def forward(self, inputs, data_samples=None, mode='tensor'):
        loss = self.weight * torch.stack(inputs).float().mean()
        return {'loss': loss} if mode == 'loss' else data_samples


def test_every_epoch_reports_its_skipped_recordings_and_repaired_events(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(EventFolder, '_rand_another', lambda self: 0)  # a readable one
    frames = [dict(type='spikemm.EventFrames', T=2), dict(type='PackInputs')]
    Runner(
        model=Mean(), work_dir=str(tmp_path / 'work'), experiment_name='events', default_scope='mmpretrain',
        train_dataloader=dict(
            dataset=dataset(folder, frames), sampler=dict(type='DefaultSampler', shuffle=False), batch_size=2,
            num_workers=1, persistent_workers=True, collate_fn=dict(type='pseudo_collate')),
        train_cfg=dict(by_epoch=True, max_epochs=2), optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
        custom_hooks=[BadImageHook()],
    ).train()
    log = next(tmp_path.rglob('*.log')).read_text()
    assert 'Samples skipped: 1 in this epoch, 2 in this run.' in log
    assert log.count('a/1.bin is not as it must be') == 1
    once, twice = '16 read, 1 repaired and 0 dropped', '32 read, 2 repaired and 0 dropped'
    assert f'Events: {once} in this epoch, {once} in this run.' in log
    assert f'Events: {once} in this epoch, {twice} in this run.' in log


def test_a_test_reports_its_repaired_and_cut_events(folder, tmp_path):
    (folder / 'b/1.bin').unlink()
    data = EventFolder(str(folder), classes=['a', 'b'], sensor_size=(8, 8), test_mode=True, pipeline=[
        dict(type='spikemm.LoadEvents'), dict(type='spikemm.EventFrames', T=2, split='duration', duration=1000),
        dict(type='PackInputs')])
    Runner(
        model=Mean(), work_dir=str(tmp_path / 'work'), experiment_name='test of events', default_scope='mmpretrain',
        test_dataloader=dict(
            dataset=data, sampler=dict(type='DefaultSampler', shuffle=False), batch_size=1, num_workers=1,
            collate_fn=dict(type='pseudo_collate')),
        test_evaluator=Evaluator([]), test_cfg=dict(), custom_hooks=[BadImageHook()],
    ).test()
    log = next(tmp_path.rglob('*.log')).read_text()
    assert 'Events: 12 read, 1 repaired and 0 dropped, 6 behind the last frame in this test.' in log
