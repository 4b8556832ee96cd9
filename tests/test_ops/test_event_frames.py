import numpy as np
import pytest
from spikingjelly.datasets.utils import integrate_events_by_fixed_duration, integrate_events_by_fixed_frames_number

from spikemm.datasets.events import make_events
from spikemm.ops.event_frames import _in_layout, event_frames, frame_cuts

EPOCH = 1_600_000_000_000_000  # a camera that stamps the time of day, in us


def events(*rows):
    """Rows are (t, x, y, p)."""
    return make_events(*np.array(rows).reshape(-1, 4).T)


def recording(seed, n=400, length=4000, size=(6, 9), start=0):
    rng = np.random.default_rng(seed)
    t = start + np.sort(rng.integers(0, length, n))
    return make_events(t, rng.integers(0, size[1], n), rng.integers(0, size[0], n), rng.integers(0, 2, n))


def columns(array):
    return {name: array[name] for name in 'txyp'}


SEVEN = events((10, 0, 0, 1), (11, 0, 0, 1), (12, 2, 1, 0), (19, 1, 0, 1), (20, 2, 1, 0), (21, 0, 1, 0), (30, 0, 0, 1))


@pytest.mark.parametrize(('arguments', 'off', 'on'), [
    (dict(T=2), [[[0, 0, 0], [0, 0, 1]], [[0, 0, 0], [1, 0, 1]]], [[[2, 1, 0], [0, 0, 0]], [[1, 0, 0], [0, 0, 0]]]),
    (dict(T=2, split='number'),
     [[[0, 0, 0], [0, 0, 1]], [[0, 0, 0], [1, 0, 1]]], [[[2, 0, 0], [0, 0, 0]], [[1, 1, 0], [0, 0, 0]]]),
    (dict(split='duration', duration=11),
     [[[0, 0, 0], [0, 0, 2]], [[0, 0, 0], [1, 0, 0]]], [[[2, 1, 0], [0, 0, 0]], [[1, 0, 0], [0, 0, 0]]]),
    (dict(T=2, kind='binary'),
     [[[0, 0, 0], [0, 0, 1]], [[0, 0, 0], [1, 0, 1]]], [[[1, 1, 0], [0, 0, 0]], [[1, 0, 0], [0, 0, 0]]]),
])
def test_seven_events_by_hand(arguments, off, on):
    frames = event_frames(SEVEN, (2, 3), **arguments)
    assert frames.dtype == np.float32
    assert frames.tolist() == np.stack([off, on], 1).tolist()


def test_voxel_grid_by_hand():
    array = events((100, 0, 0, 1), (125, 0, 0, 1), (130, 1, 0, 0), (200, 1, 0, 1))
    frames = event_frames(array, (1, 2), 3, kind='voxel')  # times 0, 0.5, 0.6 and 2
    np.testing.assert_allclose(frames[:, 0, 0], [[1.5, -0.4], [0.5, -0.6], [0, 1]], rtol=1e-6)
    frames = event_frames(array, (1, 2), 3, kind='polarity_voxel')
    np.testing.assert_allclose(frames[:, 0, 0], [[0, 0.4], [0, 0.6], [0, 0]], rtol=1e-6)
    np.testing.assert_allclose(frames[:, 1, 0], [[1.5, 0], [0.5, 0], [0, 1]], rtol=1e-6)


def test_time_surface_by_hand():
    array = events((0, 0, 0, 1), (40, 0, 0, 1), (60, 1, 0, 0), (100, 1, 0, 1))
    frames = event_frames(array, (1, 2), 2, kind='time_surface', tau=20)
    off, on = [[0, 0], [0, np.exp(-2)]], [[np.exp(-0.5), 0], [np.exp(-3), 1]]  # ends at 50 and 100
    np.testing.assert_allclose(frames[:, :, 0], np.stack([off, on], 1), rtol=1e-6)


def test_the_last_frame_of_a_time_surface_ends_with_the_recording():
    array = events((0, 0, 0, 0), (100, 0, 0, 1))  # three frames of 33 us, and one more
    frames = event_frames(array, (1, 1), 3, kind='time_surface', tau=20)
    np.testing.assert_allclose(frames[2].ravel(), [np.exp(-5), 1], rtol=1e-6)


def test_time_surface_by_number_is_read_at_the_last_event_of_a_frame():
    array = events((0, 0, 0, 1), (40, 1, 0, 1), (60, 0, 0, 0), (100, 1, 0, 0))
    frames = event_frames(array, (1, 2), 2, split='number', kind='time_surface', tau=20)
    np.testing.assert_allclose(frames[:, 1, 0], np.exp([[-2, 0], [-5, -3]]), rtol=1e-6)


@pytest.mark.parametrize('start', [0, EPOCH])
@pytest.mark.parametrize('split', ['time', 'number'])
@pytest.mark.parametrize('T', [1, 3, 8])
def test_frames_are_those_of_spikingjelly(split, T, start):
    for seed in range(5):
        array = recording(seed, n=397 + seed, start=start)
        theirs = integrate_events_by_fixed_frames_number(columns(array), split, T, 6, 9)
        np.testing.assert_array_equal(event_frames(array, (6, 9), T, split=split), theirs)


@pytest.mark.parametrize('duration', [300, 500, 3999, 10_000])
def test_frames_of_a_duration_are_those_of_spikingjelly(duration):
    for seed in range(5):
        array = recording(seed, start=EPOCH)
        array['t'][-1] = array['t'][0] + 4000 + seed % 2  # a multiple of 500, and one more
        theirs = integrate_events_by_fixed_duration(columns(array), duration, 6, 9)
        np.testing.assert_array_equal(event_frames(array, (6, 9), split='duration', duration=duration), theirs)


def test_fewer_events_than_frames_are_all_in_the_last_as_with_spikingjelly():
    array = events((0, 0, 0, 1), (5, 1, 0, 1))
    theirs = integrate_events_by_fixed_frames_number(columns(array), 'number', 3, 1, 2)
    frames = event_frames(array, (1, 2), 3, split='number')
    np.testing.assert_array_equal(frames, theirs)
    assert frames.sum((1, 2, 3)).tolist() == [0, 0, 2]


def test_a_slice_of_time_without_events_is_an_empty_frame():
    frames = event_frames(events((0, 0, 0, 1), (90, 1, 0, 1), (99, 1, 0, 0)), (1, 2), 3)
    assert frames.sum((1, 2, 3)).tolist() == [1, 0, 2]


@pytest.mark.parametrize('array', [events((EPOCH, 0, 0, 1)), events((EPOCH, 0, 0, 1), (EPOCH, 0, 0, 1))])
@pytest.mark.parametrize('arguments', [
    dict(T=4), dict(T=4, split='number'), dict(split='duration', duration=7), dict(T=1, kind='voxel')])
def test_events_all_at_one_time_are_kept(array, arguments):
    assert event_frames(array, (1, 2), **arguments).sum() == len(array)


@pytest.mark.parametrize('start', [0, EPOCH])
def test_equal_times_on_a_boundary_go_to_the_later_frame(start):
    array = events((0, 0, 0, 1), (49, 0, 0, 1), (50, 0, 0, 1), (50, 0, 0, 0), (50, 1, 0, 1), (100, 0, 0, 1))
    array['t'] += start
    assert event_frames(array, (1, 2), 2).sum((1, 2, 3)).tolist() == [2, 4]


@pytest.mark.parametrize(('T', 'counts'), [(None, [2, 0, 2]), (2, [2, 0]), (3, [2, 0, 2]), (5, [2, 0, 2, 0, 0])])
def test_frames_of_a_duration_are_cropped_or_padded_to_T(T, counts):
    array = events((7, 0, 0, 1), (8, 0, 0, 1), (30, 0, 0, 1), (37, 0, 0, 1))  # the last 30 us after the first
    assert event_frames(array, (1, 1), T, split='duration', duration=10).sum((1, 2, 3)).tolist() == counts


@pytest.mark.parametrize(('arguments', 'counts'), [
    (dict(T=2), [1, 2]), (dict(T=3, split='number'), [1, 1, 1]), (dict(split='duration', duration=8), [1, 0, 2]),
    (dict(T=2, split='duration', duration=8), [1, 0]), (dict(T=4, split='duration', duration=8), [1, 0, 2, 0])])
def test_a_window_counts_from_its_start_and_leaves_out_its_end(arguments, counts):
    array = events((4, 0, 0, 1), (10, 0, 0, 1), (26, 0, 0, 1), (29, 0, 0, 1), (30, 0, 0, 1), (31, 0, 0, 1))
    assert event_frames(array, (1, 1), t_range=(10, 30), **arguments).sum((1, 2, 3)).tolist() == counts


def test_voxels_of_a_window_count_from_its_start():
    frames = event_frames(events((15, 0, 0, 1)), (1, 1), 3, kind='voxel', t_range=(10, 20))
    assert frames.ravel().tolist() == [0, 1, 0]


def test_windows_one_after_another_are_the_frames_of_the_recording():
    array = recording(0, start=EPOCH)
    whole = event_frames(array, (6, 9), 8, t_range=(EPOCH, EPOCH + 4000))
    halves = [event_frames(array, (6, 9), 4, t_range=(EPOCH + a, EPOCH + a + 2000)) for a in (0, 2000)]
    assert whole.sum() == len(array)
    np.testing.assert_array_equal(np.concatenate(halves), whole)


@pytest.mark.parametrize('kind', ['count', 'binary', 'voxel', 'polarity_voxel', 'time_surface'])
def test_a_window_without_events_is_empty_frames(kind):
    channels, tau = (1 if kind == 'voxel' else 2), (5.0 if kind == 'time_surface' else None)
    for array in (events(), events((5, 0, 0, 1))):
        frames = event_frames(array, (2, 3), 4, kind=kind, tau=tau, t_range=(10, 20))
        assert frames.shape == (4, channels, 2, 3)
        assert not frames.any()


def test_voxels_are_linear_in_the_events_and_share_each_event_out():
    array, window = recording(3), dict(t_range=(0, 4000))
    parts = [event_frames(part, (6, 9), 5, kind='voxel', **window) for part in (array[::2], array[1::2])]
    both = event_frames(array, (6, 9), 5, kind='voxel', **window)
    off, on = event_frames(array, (6, 9), 1, **window)[0]
    np.testing.assert_allclose(parts[0] + parts[1], both, atol=1e-5)
    np.testing.assert_allclose(both.sum((0, 1)), on - off, atol=1e-5)
    halves = event_frames(array, (6, 9), 5, kind='polarity_voxel', **window)
    np.testing.assert_allclose(halves[:, 1] - halves[:, 0], both[:, 0], atol=1e-5)


def test_a_pixel_may_have_more_events_than_16_bits_count():
    array = make_events(np.arange(70_000), *np.zeros((2, 70_000), int), np.ones(70_000, int))
    assert event_frames(array, (1, 1), 1).ravel().tolist() == [0, 70_000]


def test_half_the_size_sums_blocks_of_four_pixels():
    array = recording(1, size=(6, 8))
    frames = event_frames(array, (6, 8), 3)
    np.testing.assert_array_equal(
        event_frames(array, (6, 8), 3, size=(3, 4)), frames.reshape(3, 2, 3, 2, 4, 2).sum((3, 5)))


def test_scaled_coordinates_round_down():
    array = events(*((0, x, 0, 0) for x in range(5)), *((0, 0, y, 1) for y in range(4)))
    frames = event_frames(array, (4, 5), 1, size=(3, 3))
    assert frames[0].tolist() == [[[2, 2, 1], [0, 0, 0], [0, 0, 0]], [[2, 0, 0], [1, 0, 0], [1, 0, 0]]]


@pytest.mark.parametrize('kind', ['count', 'binary', 'voxel', 'time_surface'])
@pytest.mark.parametrize('row', [(12, 3, 0, 1), (12, 0, 2, 1), (12, 65535, 65535, 1), (12, 0, 0, 2)])
def test_an_event_outside_of_the_sensor_is_named(kind, row):
    array = events((10, 0, 0, 1), row, (13, 0, 0, 1))
    with pytest.raises(ValueError, match=f'x={row[1]}, y={row[2]}, p={row[3]} at index 1'):
        event_frames(array, (2, 3), 1, kind=kind, tau=1.0 if kind == 'time_surface' else None)


@pytest.mark.parametrize('kind', ['count', 'binary', 'voxel', 'time_surface'])
@pytest.mark.parametrize('times', [(10, 13, 12, 14), (10, 20, 19, 20)])
def test_events_out_of_order_are_named(kind, times):
    array = events(*((t, 0, 0, 1) for t in times))
    with pytest.raises(ValueError, match=f'sorted by t, but got {times[2]} after {times[1]} at index 2'):
        event_frames(array, (1, 1), 2, kind=kind, tau=1.0 if kind == 'time_surface' else None)


def test_a_last_event_before_the_first_is_refused():
    with pytest.raises(ValueError, match='sorted by t, but got 9 after 10'):
        event_frames(events((10, 0, 0, 1), (9, 0, 0, 1)), (1, 1), 2)


def test_no_events_need_a_window():
    with pytest.raises(ValueError, match='events must not be empty'):
        event_frames(events(), (1, 1), 2)


@pytest.mark.parametrize('array', [
    np.zeros((3, 4)), np.zeros(3, [('t', '<i8'), ('x', '<u2')]), [(0, 0, 0, 1)],
    np.zeros(3, [('t', 'f8'), ('x', '<u2'), ('y', '<u2'), ('p', 'u1')])])
def test_an_array_without_the_integer_fields_is_refused(array):
    with pytest.raises(TypeError, match='events must be a structured array with integer fields t, x, y and p'):
        event_frames(array, (1, 1), 2)


def test_events_that_numpy_has_packed_are_taken():
    array = recording(2)
    packed = np.concatenate([array[:100], array[100:]])
    assert packed.dtype.itemsize == 13, 'numpy keeps the padding: this needs no conversion any more'
    np.testing.assert_array_equal(event_frames(packed, (6, 9), 3), event_frames(array, (6, 9), 3))


@pytest.mark.parametrize('dtype', [
    [('x', 'i4'), ('y', 'i4'), ('t', 'u4'), ('p', '?')], [('t', '>i8'), ('x', '<u2'), ('y', '<u2'), ('p', '<u4')]])
def test_other_integers_in_another_order_are_taken(dtype):
    array = recording(2)
    other = np.zeros(len(array), dtype)
    for name in 'txyp':
        other[name] = array[name]
    np.testing.assert_array_equal(event_frames(other, (6, 9), 3), event_frames(array, (6, 9), 3))


@pytest.mark.parametrize(('name', 'value'), [('x', 65536), ('y', -1), ('p', 256), ('p', -1)])
def test_an_integer_that_does_not_fit_is_named(name, value):
    array = np.zeros(3, [(field, 'i8') for field in 'txyp'])
    array[name][1] = value
    with pytest.raises(ValueError, match=f'events must have {name} in the range of uint.*, but got {value} at index 1'):
        event_frames(array, (1, 1), 2)


def test_events_in_the_layout_of_the_readers_are_not_copied():
    array = recording(2)
    assert _in_layout(array) is array


def test_read_only_and_strided_events_are_taken():
    array = recording(2)
    expected = event_frames(array[::2].copy(), (6, 9), 2)
    array.setflags(write=False)
    np.testing.assert_array_equal(event_frames(array[::2], (6, 9), 2), expected)
    np.testing.assert_array_equal(event_frames(array, (6, 9), 1)[0].sum(), len(array))


@pytest.mark.parametrize(('message', 'arguments'), [
    ('T must', dict(T=0)), ('T must', dict(T=2.0)), ('T must', dict()), ('T must', dict(split='number')),
    ('split must be one of', dict(T=2, split='count')), ('kind must be one of', dict(T=2, kind='frame')),
    ('size must', dict(T=2, size=(0, 3))), ('size must', dict(T=2, size=(3,))),
    ('size must', dict(T=2, size=4)), ('size must', dict(T=2, size='44')),
    ('duration must', dict(T=2, duration=5)), ('duration must', dict(T=2, split='duration')),
    ('duration must', dict(T=2, split='duration', duration=0)),
    ('tau must', dict(T=2, tau=3.0)), ('tau must', dict(T=2, kind='time_surface')),
    ('tau must', dict(T=2, kind='time_surface', tau=0)),
    ("split must be 'time'", dict(T=2, kind='voxel', split='number')),
    ('t_range must', dict(T=2, t_range=(5, 5))),
])
def test_arguments_that_do_not_fit_are_refused(message, arguments):
    with pytest.raises(ValueError, match=message):
        event_frames(SEVEN, (2, 3), **arguments)


@pytest.mark.parametrize(('arguments', 'cuts', 'edges'), [
    (dict(T=3), [0, 3, 6, 7], [10, 16, 22, 30]),
    (dict(T=3, split='number'), [0, 2, 4, 7], [10, 11, 19, 30]),
    (dict(split='duration', duration=10), [0, 4, 7], [10, 20, 30]),
    (dict(T=4, split='duration', duration=9, t_range=(15, 31)), [3, 6, 7, 7, 7], [15, 24, 33, 42, 51]),
])
def test_cuts_and_edges_by_hand(arguments, cuts, edges):
    found = frame_cuts(SEVEN['t'], **arguments)
    assert [part.tolist() for part in found] == [cuts, edges]


def test_a_wrong_time_stamp_does_not_fill_the_memory():
    array = events((0, 0, 0, 1), (3_600_000_000, 0, 0, 1))  # an hour later
    with pytest.raises(ValueError, match=r'at most 1,000,000 and 8 GiB, but got 360,000 of 10000 us and 44 GiB for '
                                         r'3,600.0 s.* Give T, a t_range or a longer duration'):
        event_frames(array, (128, 128), split='duration', duration=10_000)
    with pytest.raises(ValueError, match='but got 3,600,000 of 1000 us for 3,600'):
        frame_cuts(array['t'], split='duration', duration=1000)
    frames = event_frames(array, (128, 128), 3, split='duration', duration=10_000)
    assert frames.sum() == 1
