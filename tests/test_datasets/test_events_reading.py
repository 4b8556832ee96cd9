import numpy as np
import pytest
from event_files import some_events, write_dat

from spikemm.datasets.events import EVENT_DTYPE, SUFFIXES, Report, make_events, read_events, write_atis

SIZE = (30, 40)


def save(path, t, x=None, y=None, p=None):
    """Write an ``.npz`` of time stamps and what else is given; the rest are zeros."""
    zeros = np.zeros(len(t), np.int64)
    np.savez(path, t=t, x=zeros if x is None else x, y=zeros if y is None else y, p=zeros if p is None else p)
    return path


def test_an_event_has_16_bytes():
    assert EVENT_DTYPE.itemsize == 16
    assert {name: field[1] for name, field in EVENT_DTYPE.fields.items()} == {'t': 0, 'x': 8, 'y': 10, 'p': 12}


def test_count_times_and_polarity_balance_of_a_recording(tmp_path):
    events = make_events(t=[10, 20, 30, 45], x=[0, 39, 5, 6], y=[0, 29, 7, 8], p=[1, 0, 1, 1])
    write_atis(tmp_path / 'a.bin', events)
    recording = read_events(tmp_path / 'a.bin', size=SIZE)
    assert (len(recording.events), recording.events['t'][0], recording.events['t'][-1]) == (4, 10, 45)
    assert recording.events['p'].mean() == 0.75
    assert recording.size == SIZE
    assert not recording.report
    assert str(recording.report) == '4 events read'


def test_times_out_of_order_are_sorted_and_equal_ones_keep_their_order(tmp_path):
    path = save(tmp_path / 'a.npz', t=[5, 9, 7, 7, 5], x=[0, 1, 2, 3, 4])
    recording = read_events(path, size=SIZE)
    assert recording.events['t'].tolist() == [5, 5, 7, 7, 9]
    assert recording.events['x'].tolist() == [0, 4, 2, 3, 1]
    assert recording.report.repaired == {'earlier than the event before them, sorted': 2}
    assert 'repaired 2 (earlier' in str(recording.report)
    assert recording.report


def test_equal_times_and_identical_events_are_counted_and_kept(tmp_path):
    path = save(tmp_path / 'a.npz', t=[1, 2, 2, 2, 2, 3, 3], x=[5, 6, 7, 6, 6, 6, 6], p=[0, 1, 1, 1, 1, 0, 1])
    recording = read_events(path, size=SIZE)
    assert len(recording.events) == 7
    assert recording.report.facts == {'with the time stamp of another': 4, 'identical to another': 2}
    assert not recording.report


@pytest.mark.parametrize('polarity', [[0, 1, 1], [-1, 1, 1], [False, True, True], [0.0, 1.0, 1.0]])
def test_polarities_as_published_data_has_them(tmp_path, polarity):
    path = save(tmp_path / 'a.npz', t=[1, 2, 3], p=polarity)
    assert read_events(path, size=SIZE).events['p'].tolist() == [0, 1, 1]


@pytest.mark.parametrize(('polarity', 'found'), [
    ([-1, 0, 1], '-1, 0, 1; event 1 has p = 0'), ([0, 255, 1], '0, 1, 255; event 1 has p = 255'),
    ([1, 0.5], '0.5, 1.0; event 1 has p = 0.5'), ([0, 1, -1], '-1, 0, 1; event 0 has p = 0'),
])
def test_other_polarities_are_refused_with_what_was_found(tmp_path, polarity, found):
    path = save(tmp_path / 'a.npz', t=range(len(polarity)), p=polarity)
    with pytest.raises(ValueError, match=rf'a\.npz: polarities must be .*but there are {found}'):
        read_events(path, size=SIZE)


def outside_the_sensor(path):
    return save(path, t=[1, 2, 3, 4], x=[0, 40, -1, 39], y=[0, 5, 29, 30])


def test_events_outside_the_sensor_are_refused_with_the_first_of_them(tmp_path):
    path = outside_the_sensor(tmp_path / 'a.npz')
    with pytest.raises(ValueError, match=r'a\.npz: event 1 \(t = 2 us\) is at x = 40, y = 5, outside the sensor of '
                                         r'40 x 30 pixels, and so are 3 of 4 events'):
        read_events(path, size=SIZE)


def test_events_outside_the_sensor_are_dropped_and_counted(tmp_path):
    recording = read_events(outside_the_sensor(tmp_path / 'a.npz'), size=SIZE, outside='drop')
    assert recording.events['t'].tolist() == [1]
    assert recording.report.dropped == {'outside the sensor of 40 x 30 pixels': 3}


def test_events_outside_the_sensor_are_moved_to_its_edge_and_counted(tmp_path):
    recording = read_events(outside_the_sensor(tmp_path / 'a.npz'), size=SIZE, outside='clip')
    assert recording.events['x'].tolist() == [0, 39, 0, 39]
    assert recording.events['y'].tolist() == [0, 5, 29, 29]
    assert recording.report.repaired == {'outside the sensor of 40 x 30 pixels': 3}


def test_no_event_on_the_sensor_is_refused(tmp_path):
    with pytest.raises(ValueError, match='all 2 events are outside the sensor'):
        read_events(save(tmp_path / 'a.npz', t=[1, 2], x=[50, 60]), size=SIZE, outside='drop')


@pytest.mark.parametrize('x', [[0.5, 1], [1, np.nan]])
def test_coordinates_between_pixels_are_refused(tmp_path, x):
    with pytest.raises(ValueError, match='coordinates must be whole pixels'):
        read_events(save(tmp_path / 'a.npz', t=[1, 2], x=x), size=SIZE)


@pytest.mark.parametrize('bad', [-1, np.nan, np.inf, 1e30])
def test_impossible_times_are_refused_with_the_event(tmp_path, bad):
    path = save(tmp_path / 'a.npz', t=np.array([5, bad, 7], type(bad)))
    with pytest.raises(ValueError, match=r'a\.npz: time stamps must be finite.*event 1 has t ='):
        read_events(path, size=SIZE, time_unit='us')


def test_the_range_leaves_its_end_out_and_counts_nothing_as_dropped(tmp_path):
    recording = read_events(save(tmp_path / 'a.npz', t=[1, 4, 2, 3]), size=SIZE, t_range=(2, 4))
    assert recording.events['t'].tolist() == [2, 3]
    assert recording.report.read == 2
    assert not recording.report.dropped


@pytest.mark.parametrize('name', ['a.npz', 'a.dat'])
def test_a_range_without_events_is_an_empty_recording(tmp_path, name):
    if name == 'a.npz':
        save(tmp_path / name, t=[1, 2])
    else:
        write_dat(tmp_path / name, some_events((240, 304)))
    recording = read_events(tmp_path / name, size=(240, 304), t_range=(10 ** 9, 10 ** 9 + 1))
    assert len(recording.events) == 0
    assert recording.events.dtype == EVENT_DTYPE


@pytest.mark.parametrize('t_range', [None, (0, 10)])
def test_an_empty_recording_is_refused(tmp_path, t_range):
    with pytest.raises(ValueError, match=r'a\.npz: the recording holds no event'):
        read_events(save(tmp_path / 'a.npz', t=[]), size=SIZE, t_range=t_range)


@pytest.mark.parametrize('suffix', SUFFIXES)
def test_an_empty_file_is_refused(tmp_path, suffix):
    path = tmp_path / f'a{suffix}'
    path.touch()
    with pytest.raises(ValueError, match=rf'a{suffix}: the file is empty'):
        read_events(path, size=SIZE)


@pytest.mark.parametrize('suffix', [suffix for suffix in SUFFIXES if suffix != '.bin'])  # which have nothing to check
def test_a_file_of_another_format_is_refused(tmp_path, suffix):
    path = tmp_path / f'a{suffix}'
    path.write_bytes(b'\x89PNG\r\n\x1a\n and more')
    with pytest.raises(ValueError, match=rf'a{suffix}: '):
        read_events(path, size=SIZE)


def test_a_missing_file_and_an_unknown_suffix(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'gone\.bin'):
        read_events(tmp_path / 'gone.bin', size=SIZE)
    with pytest.raises(ValueError, match=r"a\.txt: a recording must end in one of .*but got '\.txt'"):
        read_events(tmp_path / 'a.txt', size=SIZE)


def test_a_suffix_in_capitals_is_the_same(tmp_path):
    write_atis(tmp_path / 'a.bin', some_events(SIZE))
    path = (tmp_path / 'a.bin').rename(tmp_path / 'b.BIN')
    assert len(read_events(path, size=SIZE).events) == 200


def test_a_size_that_nobody_says_is_asked_for(tmp_path):
    write_atis(tmp_path / 'a.bin', some_events(SIZE))
    with pytest.raises(ValueError, match=r'a\.bin: the file does not say how large the sensor is; give size='):
        read_events(tmp_path / 'a.bin')


def test_a_size_that_contradicts_the_file_is_refused(tmp_path):
    write_dat(tmp_path / 'a.dat', some_events((240, 304)))
    assert read_events(tmp_path / 'a.dat', size=[240, 304]).size == (240, 304)
    with pytest.raises(ValueError, match=r'`size` is \(304, 240\), but the file says .*\(240, 304\)'):
        read_events(tmp_path / 'a.dat', size=(304, 240))


@pytest.mark.parametrize(('arguments', 'reason'), [
    ({'size': (0, 34)}, r'`size` must be \(height, width\)'),
    ({'size': 4}, r'`size` must be \(height, width\).*but got 4'),
    ({'size': (34.5, 34)}, r'`size` must be \(height, width\)'),
    ({'t_range': 5}, r'`t_range` must be \(start, end\)'),
    ({'t_range': (5, 5)}, r'`t_range` must be \(start, end\)'),
    ({'outside': 'ignore'}, "`outside` must be 'raise', 'drop' or 'clip', but got 'ignore'"),
    ({'time_unit': 'min'}, "`time_unit` must be one of .*but got 'min'"),
    ({'time_unit': 's'}, r"\.bin files are in us, `time_unit` must be None, but got 's'"),
])
def test_arguments_without_meaning_are_refused(tmp_path, arguments, reason):
    write_atis(tmp_path / 'a.bin', some_events(SIZE))
    with pytest.raises(ValueError, match=reason):
        read_events(tmp_path / 'a.bin', **{'size': SIZE, **arguments})


def test_a_report_is_one_line():
    report = Report(9, repaired={'late': 2}, dropped={'invalid': 3}, facts={'twins': 4})
    assert str(report) == '9 events read; repaired 2 (late); dropped 3 (invalid); found 4 (twins)'


@pytest.mark.parametrize('dtype', ['i1', 'u1', 'u2', 'i4', 'u8', 'f4'])
def test_every_type_of_column_gives_the_same_events(tmp_path, dtype):
    t, x, y, p = [5, 6, 6, 90], [0, 39, 100, 3], [29, 0, 7, 120], [1, 0, 1, 1]
    path = save(tmp_path / 'a.npz', *(np.array(column, dtype) for column in (t, x, y, p)))
    recording = read_events(path, size=SIZE, outside='clip', time_unit='us')
    assert recording.events.tolist() == [(5, 0, 29, 1), (6, 39, 0, 0), (6, 39, 7, 1), (90, 3, 29, 1)]
    assert recording.events.tobytes() == make_events(*(recording.events[name] for name in 'txyp')).tobytes()


def test_moving_to_the_edge_of_a_sensor_that_is_wider_than_the_type_of_the_columns(tmp_path):
    path = save(tmp_path / 'a.npz', t=[1, 2], x=np.array([255, 4], np.uint8), y=np.array([200, 3], np.uint8))
    assert read_events(path, size=(30, 400), outside='clip').events['x'].tolist() == [255, 4]


def test_an_event_of_the_range_outside_the_sensor_is_named_by_its_place_in_the_file(tmp_path):
    path = save(tmp_path / 'a.npz', t=[9, 1, 2, 3], x=[0, 0, 0, 40])
    with pytest.raises(ValueError, match=r'event 3 .*x = 40'):
        read_events(path, size=SIZE, t_range=(2, 4))


def test_a_sensor_size_in_the_file_that_cannot_be_is_refused(tmp_path):
    write_dat(tmp_path / 'a.dat', some_events((240, 304)), '% Version 2\n% Width 304\n% Height 99999999\n')
    with pytest.raises(ValueError, match=r'a\.dat: the file says .*\(99999999, 304\)'):
        read_events(tmp_path / 'a.dat')


def test_repetitions_are_counted_after_sorting(tmp_path):
    path = save(tmp_path / 'a.npz', t=[2, 1, 2, 1, 2], x=[5, 6, 5, 7, 8])
    recording = read_events(path, size=SIZE)
    assert recording.events['x'].tolist() == [6, 7, 5, 5, 8]
    assert recording.report.facts == {'with the time stamp of another': 3, 'identical to another': 1}
