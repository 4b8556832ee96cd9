import shutil
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DATASETS, DefaultScope

from spikemm.datasets import CIFAR10DVS, HARDVS, NMNIST, DVS128Gesture, EventFolder, NCaltech101
from spikemm.datasets.events import make_events, write_atis

BASES = Path(__file__).parents[2] / 'configs/_base_/datasets'
NUMBER = np.arange(20)
EVENTS = make_events(1000 * NUMBER, NUMBER, NUMBER + 3, NUMBER % 2)
CENTRAL = make_events(1000 * NUMBER, NUMBER + 170, NUMBER + 130, NUMBER % 2)  # of the 346 x 260 pixels of a DAVIS346


def write_npz(path, events=EVENTS):
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **{name: events[name].astype(np.int64) for name in 'txyp'})


def write_aedat2(path, events=EVENTS):
    address = (127 - events['x'].astype('>u4')) << 8 | (127 - events['y'].astype('>u4')) << 1 | 1 - events['p']
    path.parent.mkdir(parents=True, exist_ok=True)
    words = np.stack([address, events['t']], axis=1).astype('>u4')
    path.write_bytes(b'#!AER-DAT2.0\r\n# made by a test\r\n' + words.tobytes())


def write_aedat3(path, events=EVENTS):
    data = 1 | events['p'].astype('<u4') << 1 | events['y'].astype('<u4') << 2 | events['x'].astype('<u4') << 17
    header = b'#!AER-DAT3.1\r\n#Format: RAW\r\n#Source 1: DVS128\r\n#!END-HEADER\r\n'
    packet = struct.pack('<2H6I', 1, 1, 8, 4, 0, len(events), len(events), len(events))
    path.write_bytes(header + packet + np.stack([data, events['t']], axis=1).astype('<u4').tobytes())


def write_bin(path, events=EVENTS):
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atis(path, events)


def names(dataset, key='event_path'):
    return [Path(dataset.get_data_info(i)[key]).name for i in range(len(dataset))]


def build(name, root, loader='train_dataloader', **dataset):
    """Build a dataset as the config base of that name has it, on the data in ``root``."""
    cfg = Config.fromfile(BASES / f'{name}.py')
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        return DATASETS.build({**cfg[loader].dataset, 'data_root': str(root), **dataset})


def check_samples(dataset, shape, count):
    """Every sample is packed, with events in it."""
    assert len(dataset) == count
    for i in range(count):
        sample = dataset[i]
        assert sample['inputs'].shape == shape
        assert sample['inputs'].dtype == torch.float32
        assert sample['inputs'].sum() > 0
    return dataset.get_gt_labels().tolist()


# EventFolder

@pytest.fixture
def folder(tmp_path):
    """Classes cat and dog; recordings 1, 2 and 10 in each, in two formats, and a text file."""
    for name in ('cat', 'dog'):
        for i in (10, 2):
            write_npz(tmp_path / name / f'rec{i}.npz')
        write_bin(tmp_path / name / 'rec1.bin')
        (tmp_path / name / 'notes.txt').touch()
    return tmp_path


def event_folder(root, classes=('cat', 'dog'), **kwargs):
    return EventFolder(str(root), classes=list(classes), sensor_size=(32, 32), **kwargs)


def test_recordings_of_any_format_are_found_in_natural_order(folder):
    dataset = event_folder(folder)
    assert names(dataset) == ['rec1.bin', 'rec2.npz', 'rec10.npz'] * 2
    assert dataset.get_gt_labels().tolist() == [0, 0, 0, 1, 1, 1]


def test_the_order_of_the_classes_is_that_of_the_config(folder):
    dataset = event_folder(folder, classes=('dog', 'cat'))
    assert '/dog/' in dataset.get_data_info(0)['event_path']
    assert dataset.get_data_info(0)['gt_label'] == 0


def test_a_recording_goes_through_the_pipeline_to_a_packed_sample(folder):
    pipeline = [dict(type='spikemm.LoadEvents'), dict(type='spikemm.EventFrames', T=4), dict(type='PackInputs')]
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        sample = event_folder(folder, pipeline=pipeline)[5]
    assert sample['inputs'].shape == (8, 32, 32)
    assert sample['inputs'].sum() == len(EVENTS)
    assert sample['inputs'][0, 3, 0] == 1, 'the first event: OFF, row 3, column 0, in the first time step'
    assert int(sample['data_samples'].gt_label) == 1


def test_a_missing_folder_is_named_with_the_hint(tmp_path):
    with pytest.raises(FileNotFoundError, match=rf'EventFolder: {tmp_path}/none/train does not exist\. Run: make'):
        event_folder(tmp_path / 'none', data_prefix='train', hint='Run: make')


@pytest.mark.parametrize(('classes', 'problem'), [
    (('cat', 'cow', 'dog'), r"1 of them are missing \(first: \['cow'\]\)"),
    (('cat',), r"1 folders are no class \(first: \['dog'\]\)")])
def test_classes_that_are_not_the_folders_are_refused(folder, classes, problem):
    with pytest.raises(ValueError, match=problem):
        event_folder(folder, classes=classes)


def test_classes_must_be_given(folder):
    with pytest.raises(ValueError, match='must give `classes`'):
        EventFolder(str(folder))


def test_a_class_without_a_recording_is_reported_and_keeps_the_labels(folder, monkeypatch):
    lines = []
    monkeypatch.setattr('spikemm.datasets.event_recognition.print_log', lambda message, *_: lines.append(message))
    for path in (folder / 'cat').glob('rec*'):
        path.unlink()
    assert set(event_folder(folder).get_gt_labels()) == {1}
    assert '1 classes without a recording (first: cat)' in lines[0]


def test_folders_without_any_recording_are_refused(folder):
    for path in folder.rglob('rec*'):
        path.unlink()
    with pytest.raises(ValueError, match=rf'no sample in {folder}'):
        event_folder(folder)


@pytest.mark.parametrize('size', [(32,), (0, 32), (32.0, 32)])
def test_a_sensor_size_that_is_none_is_refused(folder, size):
    with pytest.raises(ValueError, match='`sensor_size` must be'):
        EventFolder(str(folder), classes=['cat', 'dog'], sensor_size=size)


def test_a_test_dataset_may_not_skip_recordings(folder):
    pipeline = [dict(type='spikemm.LoadEvents', on_error='skip')]
    with pytest.raises(ValueError, match='is for training'):
        event_folder(folder, pipeline=pipeline, test_mode=True)


# The public datasets, each in a tiny copy of its distribution

@pytest.mark.parametrize(('loader', 'place'), [('train_dataloader', 'Train'), ('test_dataloader', 'Test')])
def test_nmnist(tmp_path, loader, place):
    for digit in range(10):
        write_bin(tmp_path / place / str(digit) / '00001.bin')
    dataset = build('nmnist', tmp_path, loader)
    assert check_samples(dataset, (20, 32, 32), 10) == list(range(10))


def test_cifar10_dvs(tmp_path):
    for name in CIFAR10DVS.METAINFO['classes']:
        for i in range(11):
            write_aedat2(tmp_path / name / f'cifar10_{name}_{i}.aedat')
    dataset = build('cifar10_dvs', tmp_path, 'test_dataloader')
    assert check_samples(dataset, (20, 64, 64), 10) == list(range(10))
    assert names(dataset)[:2] == ['cifar10_airplane_10.aedat', 'cifar10_automobile_10.aedat']
    assert len(build('cifar10_dvs', tmp_path)) == 100


def caltech(root, classes, count):
    for name in classes:
        for i in range(count):
            write_bin(root / name / f'image_{i:04d}.bin')
    return str(root)


def test_ncaltech101(tmp_path):
    root = caltech(tmp_path, NCaltech101.METAINFO['classes'], 2)
    dataset = build('ncaltech101', root, train_share=0.5)
    assert check_samples(dataset, (20, 90, 120), 101) == list(range(101))


def test_ncaltech101_is_divided_by_seed(tmp_path):
    kwargs = dict(data_root=caltech(tmp_path, ['ant', 'bass'], 10), classes=['ant', 'bass'], train_share=0.7)
    train, again, other = (set(names(NCaltech101(seed=seed, **kwargs))[:7]) for seed in (0, 0, 1))
    test = set(names(NCaltech101(seed=0, split='test', **kwargs))[:3])
    assert train == again != other
    assert not train & test
    assert len(train | test) == 10


def test_ncaltech101_can_leave_the_background_out(tmp_path):
    root = caltech(tmp_path, ['BACKGROUND_Google', 'ant', 'bass'], 1)
    assert NCaltech101(root, classes=['ant', 'bass']).get_gt_labels().tolist() == [0, 1]


@pytest.mark.parametrize('share', [0, 1, 1.5])
def test_a_share_that_leaves_no_test_data_is_refused(tmp_path, share):
    with pytest.raises(ValueError, match='`train_share` must be between 0 and 1'):
        CIFAR10DVS(str(tmp_path), train_share=share)


@pytest.mark.parametrize('cls', [CIFAR10DVS, DVS128Gesture, HARDVS, NCaltech101, NMNIST])
def test_an_unknown_split_is_refused(tmp_path, cls):
    with pytest.raises(ValueError, match=r"`split` must be one of .* but got 'training'"):
        cls(str(tmp_path), split='training')


@pytest.mark.parametrize('cls', [CIFAR10DVS, DVS128Gesture, HARDVS, NCaltech101, NMNIST])
def test_missing_data_are_named_with_where_they_are(tmp_path, cls):
    with pytest.raises(FileNotFoundError, match=rf'{tmp_path}/none.* does not exist\..* is .*https://.*Expected in'):
        cls(str(tmp_path / 'none'))


# DVS128 Gesture

TABLE = 'class,startTime_usec,endTime_usec\n1,0,9000\n11,8000,20000\n'


@pytest.fixture
def gestures(tmp_path):
    """One recording with two gestures that overlap, as some of the official ones do."""
    for split, user in (('train', 'user01_led'), ('test', 'user24_lab')):
        (tmp_path / f'trials_to_{split}.txt').write_text(f'{user}.aedat\n\n')
        write_aedat3(tmp_path / f'{user}.aedat')
        (tmp_path / f'{user}_labels.csv').write_text(TABLE)
    return tmp_path


def test_a_row_of_the_table_is_a_gesture(gestures):
    dataset = build('dvs128_gesture', gestures, 'test_dataloader')
    assert check_samples(dataset, (32, 128, 128), 2) == [0, 10]
    assert [dataset[i]['inputs'].sum() for i in range(2)] == [9, 12]
    assert set(names(dataset)) == {'user24_lab.aedat'}


@pytest.mark.parametrize('row', ['12,0,5', '0,0,5', '1,9,5', '1,5,5', '1,-5,5', '1,x,5', '1,5', '1,2,3,4'])
def test_a_row_that_is_no_gesture_is_named(gestures, row):
    (gestures / 'user01_led_labels.csv').write_text(f'{TABLE}{row}\n')
    with pytest.raises(ValueError, match=rf"line 4 of .*user01_led_labels\.csv must be .* but is '{row}'"):
        DVS128Gesture(str(gestures))


@pytest.mark.parametrize('name', ['user01_led.aedat', 'user01_led_labels.csv'])
def test_files_of_a_gesture_that_are_missing_are_counted_and_named(gestures, name):
    (gestures / name).unlink()
    with pytest.raises(FileNotFoundError, match=rf'1 of 2 files .*trials_to_train\.txt .*first is {gestures}/{name}'):
        DVS128Gesture(str(gestures))


# HAR-DVS

LINES = 'action_001/dvSave-1 54 0\naction_300/dvSave-2 61 299\n'
LISTED = ['action_001/dvSave-1', 'action_300/dvSave-2']


def write_frames(folder, count=9):
    """Frames of a bright background with a band of ON events that moves down; frame 2 is before frame 10."""
    folder.mkdir(parents=True)
    for i in range(2, 2 + count):
        frame = np.full((65, 87), 255, np.uint8)
        frame[20 + i:40 + i] = 128
        cv2.imwrite(str(folder / f'{i}.png'), frame)


@pytest.fixture
def hardvs(tmp_path):
    """The official lists, each of two recordings, and the recordings as events and as frames."""
    for split in ('train', 'val', 'test'):
        (tmp_path / f'{split}_label.txt').write_text(LINES)
    for name in LISTED:
        write_npz(tmp_path / f'{name}.npz', CENTRAL)
        write_frames(tmp_path / name)
    return tmp_path


@pytest.mark.parametrize('loader', ['train_dataloader', 'val_dataloader', 'test_dataloader'])
@pytest.mark.parametrize('form', ['events', 'frames'])
def test_hardvs(hardvs, form, loader):
    dataset = build(f'hardvs_{form}', hardvs, loader)
    assert check_samples(dataset, (16, 224, 224), 2) == [0, 299]


def test_frames_are_listed_when_they_are_loaded_and_in_natural_order(hardvs):
    dataset = HARDVS(str(hardvs), form='frames', pipeline=[dict(type='spikemm.SampleClip', T=12, start=0.0)])
    assert 'frame_paths' not in dataset.get_data_info(0)
    clip = dataset[0]['frame_paths']
    assert [path and Path(path).name for path in clip] == [*(f'{i}.png' for i in range(2, 11)), None, None, None]


def test_folders_in_a_listed_folder_are_samples_except_of_camera_images(hardvs):
    for name in LISTED:
        for kind in ('dvs', 'more', 'aps'):
            shutil.copytree(hardvs / name, hardvs / 'nested' / name / f'{Path(name).name}_{kind}')
    dataset = HARDVS(str(hardvs), form='frames', data_prefix='nested')
    assert names(dataset, 'frame_dir') == ['dvSave-1_dvs', 'dvSave-1_more', 'dvSave-2_dvs', 'dvSave-2_more']
    assert dataset.get_gt_labels().tolist() == [0, 0, 299, 299]


def test_listed_folders_without_a_folder_of_frames_are_counted_and_named(hardvs):
    for name in LISTED:
        shutil.rmtree(hardvs / name)
        (hardvs / name).mkdir()
    (hardvs / LISTED[0] / 'clip').mkdir()
    with pytest.raises(FileNotFoundError, match=rf'1 of 2 folders .*no folder of frames.*first is {hardvs}/action_300'):
        HARDVS(str(hardvs), form='frames')


@pytest.mark.parametrize('form', ['events', 'frames'])
def test_listed_recordings_that_are_missing_are_counted_and_named(hardvs, form):
    lines = ''.join(f'action_002/gone-{i} 9 1\n' for i in range(3))
    (hardvs / 'train_label.txt').write_text(LINES + lines)
    with pytest.raises(FileNotFoundError, match=rf'3 of 5 .*train_label\.txt .*first is {hardvs}/action_002/gone-0'):
        HARDVS(str(hardvs), form=form)


@pytest.mark.parametrize('line', ['action_001/dvSave-1 54 300', 'action_001/dvSave-1 54 -1', 'action_001/dvSave-1 54 x',
                                  'action_001/dvSave-1'])
def test_a_line_without_a_label_of_the_classes_is_named(hardvs, line):
    (hardvs / 'train_label.txt').write_text(LINES + line)
    with pytest.raises(ValueError, match=rf"line 3 of .*train_label\.txt must be .*0 to 299, but is '{line}'"):
        HARDVS(str(hardvs))


def test_a_list_may_leave_the_number_out_and_give_the_suffix(hardvs):
    (hardvs / 'train_label.txt').write_text(f'{LISTED[0]}.npz 7\r\n')
    dataset = HARDVS(str(hardvs))
    assert names(dataset) == ['dvSave-1.npz']
    assert dataset.get_gt_labels().tolist() == [7]


def test_an_empty_list_is_refused(hardvs):
    (hardvs / 'train_label.txt').write_text('\n')
    with pytest.raises(ValueError, match=r'no sample in .*train_label\.txt'):
        HARDVS(str(hardvs), form='frames')


def test_an_unknown_form_is_refused(hardvs):
    with pytest.raises(ValueError, match="`form` must be 'events' or 'frames', but got 'aps'"):
        HARDVS(str(hardvs), form='aps')


def test_the_votes_of_hardvs_are_five_clips_from_start_to_end(hardvs):
    pipeline = Config.fromfile(BASES / 'hardvs_frames.py').tta_pipeline
    dataset = build('hardvs_frames', hardvs, 'test_dataloader', pipeline=pipeline)
    sample = dataset[1]
    clips = sample['inputs']
    assert [clip.shape for clip in clips] == [(16, 224, 224)] * 5
    torch.testing.assert_close(clips[0][2:], clips[4][:-2])  # nine frames: the last clip starts at the second
    assert not clips[0].equal(clips[4])
    assert [int(view.gt_label) for view in sample['data_samples']] == [299] * 5
