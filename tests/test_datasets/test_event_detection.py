import math
from pathlib import Path

import numpy as np
import pytest
import torch
from event_files import write_dat
from mmdet.evaluation import CocoMetric
from mmengine.config import Config
from mmengine.registry import DATASETS, DefaultScope

from spikemm.datasets import EventDetDataset
from spikemm.datasets.events import make_events

CONFIG = Path(__file__).parents[2] / 'configs/_base_/datasets/gen1.py'
HEIGHT, WIDTH = 240, 304
GEN1 = [('ts', '<u8'), *((side, '<f4') for side in 'xywh'), ('class_id', 'u1'), ('confidence', '<f4'),
        ('track_id', '<u4')]
MEGAPIXEL = np.dtype(dict(
    names=['t', 'x', 'y', 'w', 'h', 'class_id', 'track_id', 'class_confidence'],
    formats=['<i8', '<f4', '<f4', '<f4', '<f4', '<u4', '<u4', '<f4'],
    offsets=[0, 8, 12, 16, 20, 24, 28, 32], itemsize=40))
BOX = dict(t=1_000_000, x=20, y=10, w=40, h=30, class_id=0)


def as_array(boxes: list[dict], dtype=GEN1) -> np.ndarray:
    array = np.zeros(len(boxes), dtype)
    for row, box in zip(array, boxes, strict=True):
        for name, value in box.items():
            row['ts' if name == 't' and 'ts' in array.dtype.names else name] = value
    return array


def write_events(path: Path, t, x, y, p) -> None:
    """A .dat file of the events at all combinations of what is broadcast."""
    write_dat(path, make_events(*(column.ravel() for column in np.broadcast_arrays(t, x, y, p))))


class Drive:
    """A folder ``train`` with the recording ``drive_td.dat``, which is empty, and its boxes."""

    def __init__(self, root: Path):
        self.root, self.folder = root, root / 'train'
        self.folder.mkdir()
        (self.folder / 'drive_td.dat').touch()
        self.boxes = []

    def add(self, **changes):
        self.boxes.append({**BOX, **changes})

    def dataset(self, dtype=GEN1, **kwargs) -> EventDetDataset:
        np.save(self.folder / 'drive_bbox.npy', as_array(self.boxes, dtype))
        return EventDetDataset(
            **{**dict(data_root=str(self.root), data_prefix=dict(events='train'), pipeline=[]), **kwargs})


@pytest.fixture
def drive(tmp_path):
    return Drive(tmp_path)


@pytest.fixture
def logged(monkeypatch):
    lines = []
    monkeypatch.setattr('spikemm.datasets.event_detection.print_log', lambda message, *_: lines.append(message))
    return lines


@pytest.mark.parametrize('dtype', [GEN1, MEGAPIXEL], ids=['GEN1', 'megapixel'])
def test_a_labelled_time_is_a_sample_with_the_events_before_it(drive, dtype):
    drive.add(t=2_000_000, class_id=1)
    drive.add()
    drive.add(x=1)
    first, second = (drive.dataset(dtype, window_us=50_000).get_data_info(i) for i in range(2))
    assert (first['t_range'], second['t_range']) == ((950_000, 1_000_000), (1_950_000, 2_000_000))
    assert first['instances'] == [
        dict(bbox=[20, 10, 60, 40], bbox_label=0, ignore_flag=0),
        dict(bbox=[1, 10, 41, 40], bbox_label=0, ignore_flag=0)]
    assert [instance['bbox_label'] for instance in second['instances']] == [1]
    assert first['event_path'] == str(drive.folder / 'drive_td.dat')
    assert (first['img_id'], second['img_id']) == (0, 1)
    assert (first['height'], first['width']) == first['sensor_size'] == (HEIGHT, WIDTH)


def test_img_ids_of_several_recordings_differ_and_go_by_their_names(drive):
    drive.add()
    for name in 'az':
        (drive.folder / f'{name}_td.dat').touch()
        np.save(drive.folder / f'{name}_bbox.npy', as_array([BOX]))
    samples = [drive.dataset().get_data_info(i) for i in range(3)]
    assert [sample['img_id'] for sample in samples] == [0, 1, 2]
    assert [Path(sample['event_path']).name[0] for sample in samples] == ['a', 'd', 'z']


def test_a_box_is_clipped_to_the_sensor(drive):
    drive.add(x=-10, y=-5, w=400, h=15)
    instance, = drive.dataset().get_data_info(0)['instances']
    assert instance['bbox'] == [0, 0, WIDTH, 10]


LEFT_OUT = {
    'of a class id that is not in `classes`': dict(class_id=2),
    'of zero area': dict(w=0),
    'below 1 pixel': dict(h=0.5),
    'outside the sensor': dict(x=WIDTH),
    'not made of numbers': dict(y=math.nan),
}


@pytest.mark.parametrize('problem', LEFT_OUT)
def test_a_box_that_cannot_be_learned_from_is_left_out_and_counted(drive, logged, problem):
    drive.add(**LEFT_OUT[problem])
    drive.add(x=100)
    instance, = drive.dataset().get_data_info(0)['instances']
    assert instance['bbox'][0] == 100
    assert '1 labelled times with 1 of 2 boxes' in logged[0]
    assert f'1 {problem} (first: ' in logged[0] and 'at 1000000 us in drive_bbox.npy' in logged[0]


def test_a_box_to_be_evaluated_that_is_not_made_of_numbers_is_refused(drive):
    drive.add(x=math.inf)
    with pytest.raises(ValueError, match=r'a box to be evaluated is not made of numbers: \[inf, 10'):
        drive.dataset(test_mode=True)


@pytest.mark.parametrize('sides, small', [((10, 29), 0), ((9.5, 100), 1), ((20, 20), 1), ((10, 28), 1), ((22, 22), 0)])
def test_a_box_below_the_side_or_the_diagonal_is_ignored(drive, sides, small):
    drive.add(w=sides[0], h=sides[1])
    drive.add(x=100)
    first, second = drive.dataset(min_side=10, min_diagonal=30).get_data_info(0)['instances']
    assert (first['ignore_flag'], second['ignore_flag']) == (small, 0)


def test_a_box_is_measured_where_it_is_on_the_sensor(drive):
    drive.add(x=WIDTH - 9)
    drive.add()
    instances = drive.dataset(min_side=10).get_data_info(0)['instances']
    assert [instance['ignore_flag'] for instance in instances] == [1, 0]


def test_boxes_until_skip_us_are_left_out(drive, logged):
    drive.add(t=500_000)
    drive.add(t=500_001)
    assert [info['t_range'][1] for info in map(drive.dataset(skip_us=500_000).get_data_info, range(1))] == [500_001]
    assert '1 are of the first 500000 us' in logged[0]


def test_a_window_may_begin_before_the_recording(drive):
    drive.add(t=40_000)
    assert drive.dataset().get_data_info(0)['t_range'] == (-60_000, 40_000)


def test_a_time_without_a_box_that_counts_is_no_sample(drive):
    drive.add(t=1_000_000, w=5)
    drive.add(t=2_000_000, w=0)
    drive.add(t=3_000_000)
    dataset = drive.dataset(min_side=10, test_mode=True)
    assert [dataset.get_data_info(i)['t_range'][1] for i in range(len(dataset))] == [3_000_000]


def test_classes_may_be_a_part_by_name(drive):
    drive.add(class_id=0)
    drive.add(class_id=1, x=100)
    instance, = drive.dataset(metainfo=dict(classes=['pedestrian'])).get_data_info(0)['instances']
    assert (instance['bbox'][0], instance['bbox_label']) == (100, 0)


def test_a_class_that_the_data_does_not_have_is_refused(drive):
    drive.add()
    with pytest.raises(ValueError, match='must be some of car, pedestrian, but got bus'):
        drive.dataset(metainfo=dict(classes=['car', 'bus']))


def test_a_box_file_without_its_recording_is_refused(drive):
    drive.add()
    np.save(drive.folder / 'lost_bbox.npy', as_array([BOX]))
    with pytest.raises(FileNotFoundError, match=r'1 of 2 box files have no recording.*lost_td\.dat does not exist\.'):
        drive.dataset()


def test_recordings_without_a_box_file_are_counted(drive, logged):
    drive.add()
    (drive.folder / 'night_td.dat').touch()
    assert len(drive.dataset()) == 1
    assert '1 recordings have no box file (first: night)' in logged[0]


@pytest.mark.parametrize('array, problem', [
    (np.zeros((2, 4)), r'the fields t \(or ts\), x, y, w, h, class_id, but got shape \(2, 4\) with the fields none'),
    (as_array([BOX])[['x', 'y', 'w', 'h', 'class_id']], 'with the fields x, y, w, h, class_id'),
    (as_array([BOX])[['ts', 'x', 'y', 'w', 'h']], 'with the fields ts, x, y, w, h'),
    (as_array([BOX], [(name, '<f8') for name in ('ts', *'xywh', 'class_id')]), 'ts and class_id .* must be integers'),
    (np.array([dict(t=1)], dtype=object), 'allow_pickle=False'),
])
def test_a_file_that_has_no_boxes_in_it_is_named(drive, array, problem):
    drive.add()
    drive.dataset()
    np.save(drive.folder / 'drive_bbox.npy', array)
    with pytest.raises(ValueError, match=rf'drive_bbox\.npy cannot be used: .*{problem}'):
        EventDetDataset(data_root=str(drive.root), data_prefix=dict(events='train'))


def test_a_box_file_cut_off_is_named(drive):
    drive.add()
    drive.dataset()
    for content in (b'', (drive.folder / 'drive_bbox.npy').read_bytes()[:-1]):
        (drive.folder / 'drive_bbox.npy').write_bytes(content)
        with pytest.raises(ValueError, match=r'drive_bbox\.npy cannot be used'):
            EventDetDataset(data_root=str(drive.root), data_prefix=dict(events='train'))


def test_a_folder_without_boxes_is_refused(drive):
    drive.add(w=0)
    with pytest.raises(ValueError, match=r'no sample in .*_bbox\.npy\. GEN1 is on https'):
        drive.dataset()


def test_the_folder_of_the_recordings_must_be_named(drive):
    drive.add()
    with pytest.raises(ValueError, match="`data_prefix` must name the folder of the recordings as 'events'"):
        drive.dataset(data_prefix=dict(img='train'))


@pytest.mark.parametrize('window', [0, 0.1])
def test_a_window_must_be_whole_microseconds(drive, window):
    drive.add()
    with pytest.raises(ValueError, match=f'`window_us` must be a positive number of microseconds, but got {window}'):
        drive.dataset(window_us=window)


@pytest.fixture
def square(drive):
    """One event of each polarity at every pixel of ``BOX``, every 20 ms of the 100 ms before its time."""
    drive.add()
    x, y = np.meshgrid(np.arange(20, 60), np.arange(10, 40))
    t = BOX['t'] - 90_000 + 20_000 * np.arange(5)
    write_events(drive.folder / 'drive_td.dat', t[:, None, None, None], x, y, np.arange(2)[:, None, None])
    return drive


def covered(clip: torch.Tensor) -> list[list[int]]:
    """The boxes ``[x1, y1, x2, y2]`` that the events fill, of each time step and polarity."""
    boxes = []
    for frame in clip:
        rows, columns = frame.nonzero().T
        boxes.append([columns.min().item(), rows.min().item(), columns.max().item() + 1, rows.max().item() + 1])
        assert len(rows) == 40 * 30
    return boxes


@pytest.mark.parametrize('prob, box', [(0.0, [20, 10, 60, 40]), (1.0, [WIDTH - 60, 10, WIDTH - 20, 40])])
def test_all_time_steps_of_gen1_flip_with_their_boxes(square, prob, box):
    cfg = Config.fromfile(CONFIG)
    next(step for step in cfg.train_pipeline if step.type == 'RandomFlip').prob = prob
    with DefaultScope.overwrite_default_scope('mmdet'):
        sample = square.dataset(pipeline=cfg.train_pipeline)[0]
    assert sample['inputs'].shape == (10, HEIGHT, WIDTH)
    assert covered(sample['inputs']) == [box] * 10
    assert sample['data_samples'].gt_instances.bboxes.tensor.tolist() == [box]


def test_frames_before_the_recording_are_empty(square):
    x, y = np.arange(4), np.arange(4)
    write_events(square.folder / 'drive_td.dat', np.arange(0, 50_000, 1000)[:, None], x, y, 1)
    square.boxes[0]['t'] = 50_000
    with DefaultScope.overwrite_default_scope('mmdet'):
        clip = square.dataset(pipeline=Config.fromfile(CONFIG).test_pipeline)[0]['inputs']
    assert [frame.sum().item() for frame in clip.view(5, 2, -1).sum(1)] == [0, 0, 40, 80, 80]


def test_coco_compares_with_the_boxes_of_the_samples_and_ignores_small_ones(square, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    square.add(x=200, y=100, w=8, h=8)
    square.dataset()
    dataset = Config.fromfile(CONFIG).val_dataloader.dataset
    dataset.update(data_root=str(square.root), data_prefix=dict(events='train'))
    with DefaultScope.overwrite_default_scope('mmdet'):
        data = DATASETS.build(dataset)
        truth = data[0]['data_samples'].to_dict()
    found = dict(bboxes=torch.tensor([[200.0, 100, 208, 108], [20, 10, 60, 40]]), scores=torch.tensor([0.9, 0.8]),
                 labels=torch.tensor([0, 0]))
    metric = CocoMetric(metric='bbox')
    metric.dataset_meta = data.metainfo
    metric.process({}, [dict(truth, pred_instances=found)])
    assert metric.evaluate(1)['coco/bbox_mAP'] == pytest.approx(1.0)
    assert [path.name for path in tmp_path.iterdir()] == ['train']
