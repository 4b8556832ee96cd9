import numpy as np
import pytest
from mmcv.transforms import RandomFlip
from mmpretrain.datasets.transforms import PackInputs

from spikemm.datasets.events import make_events
from spikemm.datasets.transforms.event_frames import EventFrames
from spikemm.datasets.transforms.on_error import loaded_events
from spikemm.registry import TRANSFORMS

ROWS = [(0, 0, 0, 1), (10, 1, 0, 1), (60, 2, 1, 0), (100, 0, 1, 1)]  # t, x, y, p


def sample(rows=ROWS, **keys):
    events = make_events(*np.array(rows).reshape(-1, 4).T)
    return dict(events=events, sensor_size=(2, 3), event_path='some/where.bin', **keys)


def test_channels_are_those_of_the_first_step_then_of_the_second():
    results = EventFrames(2)(sample())
    assert results['img'].dtype == np.float32
    assert results['img'].shape == (2, 3, 4)
    off_0, on_0, off_1, on_1 = results['img'].transpose(2, 0, 1).tolist()
    assert off_0 == [[0, 0, 0], [0, 0, 0]]
    assert on_0 == [[1, 1, 0], [0, 0, 0]]
    assert off_1 == [[0, 0, 0], [0, 0, 1]]
    assert on_1 == [[0, 0, 0], [1, 0, 0]]


def test_the_shapes_are_those_of_the_frames():
    results = EventFrames(2, size=(4, 5))(sample())
    assert results['img'].shape == (4, 5, 4)
    assert results['img_shape'] == results['ori_shape'] == (4, 5)


def test_packing_turns_the_view_back_without_a_copy():
    img = EventFrames(2)(sample())['img']
    assert img.sum() == len(ROWS)
    packed = PackInputs().transform(dict(img=img))['inputs']
    assert packed.shape == (4, 2, 3)
    assert packed.data_ptr() == img.ctypes.data


def test_a_flip_moves_all_steps_the_same_way():
    results = EventFrames(2)(sample())
    before = results['img'].copy()
    after = RandomFlip(prob=1.0)(results)['img']
    assert before.sum() == len(ROWS)
    np.testing.assert_array_equal(after, before[:, ::-1])


def test_frames_count_from_the_start_of_a_labelled_window():
    rows = [(t + 1000, *rest) for t, *rest in ROWS[:3]]
    img = EventFrames(2)(sample(rows, t_range=(1000, 1200)))['img']
    assert img.sum((0, 1)).tolist() == [1, 2, 0, 0]  # the second half of the window is empty


def test_a_window_without_events_is_an_empty_clip():
    img = EventFrames(3)(sample([], t_range=(1000, 1200)))['img']
    assert img.shape == (2, 3, 6)
    assert not img.any()


def test_a_recording_without_events_is_named():
    with pytest.raises(ValueError, match=r'some/where\.bin: events must not be empty'):
        EventFrames(2)(sample([]))


def test_a_recording_with_an_event_outside_of_the_sensor_is_named():
    with pytest.raises(ValueError, match=r'some/where\.bin: .*x=3, y=0, p=1 at index 0'):
        EventFrames(2)(sample([(0, 3, 0, 1)]))


@pytest.mark.parametrize('key', ['instances', 'gt_bboxes'])
def test_another_size_is_refused_where_there_are_boxes(key):
    with pytest.raises(ValueError, match='size must be None where there are boxes'):
        EventFrames(2, size=(1, 2))(sample(**{key: []}))
    assert EventFrames(2, size=(2, 3))(sample(**{key: []}))['img'].sum() == len(ROWS)


@pytest.fixture
def lines(monkeypatch):
    lines = []
    monkeypatch.setattr('spikemm.datasets.transforms.on_error.print_log', lambda message, *_: lines.append(message))
    return lines


@pytest.mark.parametrize(('T', 't_range', 'cut'), [
    (3, None, 2), (5, None, 0), (6, None, 0), (None, None, 0), (1, (0, 60), 0), (2, (0, 61), 1), (2, (5, 120), 2)])
def test_events_behind_the_last_frame_are_counted_and_named(lines, T, t_range, cut):
    """Frames of 20 us; the events are at 0, 10, 60 and 100 us."""
    before, results = loaded_events().cut.value, sample(t_range=t_range)
    img = EventFrames(T, split='duration', duration=20)(results)['img']
    inside = [t for t, *_ in ROWS if t_range is None or t_range[0] <= t < t_range[1]]
    assert img.sum() == len(inside) - cut
    assert loaded_events().cut.value - before == cut
    assert [line.split(' of ')[0] for line in lines] == [str(cut)] * (cut > 0)
    assert all('some/where.bin' in line for line in lines)


def test_a_size_of_one_number_is_refused():
    with pytest.raises(ValueError, match='size must be a positive height and width, but got 3'):
        EventFrames(2, size=3)


def test_a_config_builds_it_and_wrong_arguments_fail_then():
    transform = TRANSFORMS.build(dict(type='EventFrames', T=4, kind='time_surface', tau=20))
    assert repr(transform) == "EventFrames(T=4, split='time', kind='time_surface', tau=20)"
    with pytest.raises(ValueError, match='T must be a positive integer'):
        TRANSFORMS.build(dict(type='EventFrames', split='number'))
