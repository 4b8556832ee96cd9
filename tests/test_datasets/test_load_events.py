import copy

import numpy as np
import pytest
import torch
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
def lines(monkeypatch):
    lines = []
    monkeypatch.setattr('spikemm.datasets.transforms.on_error.print_log', lambda message, *_: lines.append(message))
    return lines


def load(path, t_range=None, sensor_size=(8, 8), **kwargs):
    return LoadEvents(**kwargs)(dict(event_path=str(path), sensor_size=sensor_size, t_range=t_range))


def counts():
    return [count.value for count in loaded_events()]


def test_a_recording_becomes_events_and_the_size_of_the_sensor(recording, lines):
    results = load(recording)
    np.testing.assert_array_equal(results['events'], events())
    assert results['sensor_size'] == (8, 8)
    assert not results['event_report']
    assert lines == []


def test_a_range_of_time_selects_events(recording):
    assert load(recording, t_range=(1000, 3000))['events']['t'].tolist() == [1000, 2000]


def test_a_range_without_events_is_an_empty_sample_with_a_warning(recording, lines):
    assert len(load(recording, t_range=(5000, 6000), on_error='skip')['events']) == 0
    assert lines == [f'The recording {recording} has no event between 5000 and 6000 us.']


def test_repaired_events_are_reported_once_a_file_and_counted_each_time(unsorted, lines):
    transform, before = LoadEvents(), counts()
    for _ in range(2):
        results = transform(dict(event_path=str(unsorted), sensor_size=(8, 8)))
    assert results['events']['t'].tolist() == [0, 1000, 2000, 3000]
    assert results['event_report']
    read, repaired, dropped = np.subtract(counts(), before)
    assert (read, dropped) == (8, 0)
    assert repaired == 2 * sum(results['event_report'].repaired.values()) > 0
    assert len(lines) == 1
    assert str(unsorted) in lines[0]


def test_dropped_events_are_counted(recording):
    before = counts()
    assert len(load(recording, sensor_size=(8, 3), outside='drop')['events']) == 3
    assert np.subtract(counts(), before).tolist() == [4, 0, 1]


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


def test_skip_gives_none_a_warning_and_a_count(tmp_path, lines):
    before = skipped_images().value
    assert load(tmp_path / 'gone.bin', on_error='skip') is None
    assert skipped_images().value == before + 1
    assert lines[0].startswith(f'Skipped the recording {tmp_path}/gone.bin, which cannot be used (')


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
    read, repaired, _ = np.subtract(counts(), before)
    assert read == 16
    assert repaired > 0


class Mean(BaseModel):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(()))

    def forward(self, inputs, data_samples=None, mode='tensor'):
        return {'loss': self.weight * torch.stack(inputs).float().mean()}


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
    once, twice = '16 read, 1 repaired and 0 dropped', '32 read, 2 repaired and 0 dropped'
    assert f'Events: {once} in this epoch, {once} in this run.' in log
    assert f'Events: {once} in this epoch, {twice} in this run.' in log
