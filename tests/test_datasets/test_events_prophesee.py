import os

import numpy as np
import pytest
from event_files import some_events, write_dat, write_raw

from spikemm.datasets.events import prophesee, read_events, times

SIZE = (240, 304)


def evt2(code, low, high, row):
    return code << 28 | low << 22 | high << 11 | row


def test_dat_of_version_2_has_events_and_sensor_size(tmp_path):
    events = some_events(SIZE)
    write_dat(tmp_path / 'a.dat', events)
    recording = read_events(tmp_path / 'a.dat')
    assert recording.size == SIZE
    np.testing.assert_array_equal(recording.events, events)


def test_dat_of_the_atis_before_it_has_fewer_bits(tmp_path):
    events = some_events(SIZE)
    write_dat(tmp_path / 'a.dat', events, header='', kind=0, x_bits=9, y_bits=8)
    np.testing.assert_array_equal(read_events(tmp_path / 'a.dat', size=SIZE).events, events)


def test_dat_reads_only_the_part_in_the_range(tmp_path, monkeypatch):
    events, parts = some_events(SIZE), []
    write_dat(tmp_path / 'a.dat', events)
    find_part = prophesee.find_part
    monkeypatch.setattr(prophesee, 'find_part', lambda *args: parts.append(find_part(*args)) or parts[-1])
    part = read_events(tmp_path / 'a.dat', t_range=(events['t'][50], events['t'][120])).events
    assert parts == [slice(50, 120)]
    np.testing.assert_array_equal(part, events[50:120])


def test_dat_names_the_index_in_the_file_of_an_event_outside_the_sensor(tmp_path):
    events = some_events(SIZE)
    events['y'][100] = 250
    write_dat(tmp_path / 'a.dat', events)
    with pytest.raises(ValueError, match=r'event 100 .*y = 250, outside the sensor of 304 x 240'):
        read_events(tmp_path / 'a.dat', t_range=(events['t'][50], 200_000))


@pytest.mark.parametrize(('kind', 'cut', 'reason'), [
    (14, 0, r'must be the type of the events, 0 or 12, and their size, 8, but there is \[14, 8\]'),
    (12, 3, 'it ends inside an event of 8 bytes, at byte'),
    (12, 1600, 'the recording holds no event'),
])
def test_dat_of_other_events_cut_off_or_empty_is_refused(tmp_path, kind, cut, reason):
    path = tmp_path / 'a.dat'
    write_dat(path, some_events(SIZE), kind=kind)
    path.write_bytes(path.read_bytes()[:path.stat().st_size - cut])
    with pytest.raises(ValueError, match=rf'a\.dat: .*{reason}'):
        read_events(path)


@pytest.mark.parametrize('suffix', ['dat', 'raw'])
def test_a_file_without_header_is_refused(tmp_path, suffix):
    path = tmp_path / f'a.{suffix}'
    path.write_bytes(bytes(100))
    with pytest.raises(ValueError, match=r'it has no header'):
        read_events(path)


def test_evt2_worked_out_by_hand(tmp_path):
    words = [8 << 28 | 3, evt2(1, 5, 1279, 719), evt2(0, 6, 0, 0), 8 << 28 | 4, 10 << 28 | 77, evt2(0, 0, 7, 8)]
    write_raw(tmp_path / 'a.raw', words, '2.0')
    recording = read_events(tmp_path / 'a.raw')
    assert recording.size == (720, 1280)
    assert recording.events.tolist() == [(197, 1279, 719, 1), (198, 0, 0, 0), (256, 7, 8, 0)]


def test_evt3_worked_out_by_hand(tmp_path):
    words = [
        8 << 12 | 2, 6 << 12 | 10, 0 << 12 | 500,  # time 2 * 4096 + 10, row 500
        2 << 12 | 1 << 11 | 1000, 2 << 12 | 4,  # an ON and an OFF event
        3 << 12 | 1 << 11 | 100, 4 << 12 | 0b100000000001, 5 << 12 | 0b11110000_0010,  # of a 5, 8 bits count
        8 << 12 | 3, 2 << 12 | 9,  # no lower bits of the time yet
    ]
    write_raw(tmp_path / 'a.raw', words)
    events = read_events(tmp_path / 'a.raw').events
    assert events.tolist() == [
        (8202, 1000, 500, 1), (8202, 4, 500, 0), (8202, 100, 500, 1), (8202, 111, 500, 1), (8202, 113, 500, 1),
        (12288, 9, 500, 0),
    ]


def test_evt3_counts_on_when_its_24_bits_of_time_are_used_up(tmp_path):
    write_raw(tmp_path / 'a.raw', [0, 8 << 12 | 4095, 6 << 12 | 1, 2 << 12, 8 << 12 | 0, 6 << 12 | 1, 2 << 12])
    assert read_events(tmp_path / 'a.raw').events['t'].tolist() == [(4095 << 12) + 1, (1 << 24) + 1]


def test_raw_events_before_the_first_time_stamp_are_dropped_and_counted(tmp_path):
    write_raw(tmp_path / 'a.raw', [evt2(1, 5, 1, 1), 8 << 28, evt2(1, 5, 2, 2)], '2.0')
    recording = read_events(tmp_path / 'a.raw')
    assert recording.events['x'].tolist() == [2]
    assert recording.report.dropped == {'before the first time stamp of the file': 1}


@pytest.mark.parametrize('header', ['% Width 640\n% Height 480\n', '% format EVT2;height=480;width=640\n% end\n'])
def test_raw_sensor_size_from_other_headers(tmp_path, header):
    write_raw(tmp_path / 'a.raw', [8 << 28, evt2(1, 5, 1, 1)], '2.0', header)
    assert read_events(tmp_path / 'a.raw').size == (480, 640)


def test_raw_of_another_version_or_cut_off_is_refused(tmp_path):
    path = tmp_path / 'a.raw'
    write_raw(path, [0, 0], '2.1')
    with pytest.raises(ValueError, match=r"a\.raw: it must be EVT 2\.0 or 3\.0, but its header says '2\.1'"):
        read_events(path)
    write_raw(path, [0, 0])
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match=rf'a\.raw: it ends inside a word of 2 bytes, at byte {path.stat().st_size}'):
        read_events(path)


@pytest.mark.parametrize('moved', [100, 1])
def test_dat_out_of_order_loses_no_event_of_the_range(tmp_path, moved):
    events = some_events(SIZE)
    write_dat(tmp_path / 'a.dat', np.roll(events, moved))
    for _ in range(2):  # the second time it is known that the file is out of order
        recording = read_events(tmp_path / 'a.dat', t_range=(events['t'][50], events['t'][150]))
        np.testing.assert_array_equal(recording.events, events[50:150])
    assert len(recording.report.repaired) == (moved == 100), 'the event that is moved by one is outside the range'


def test_whether_a_file_is_in_order_is_looked_at_again_when_it_has_changed(tmp_path):
    events, path = some_events(SIZE), tmp_path / 'a.dat'
    write_dat(path, events)
    assert times.is_in_order(path, events['t'])
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))
    assert not times.is_in_order(path, events['t'][::-1])


def test_a_piece_that_begins_earlier_than_the_last_ended_is_out_of_order(tmp_path, monkeypatch):
    monkeypatch.setattr(times, 'PART', 4)
    path = tmp_path / 'a.dat'
    for t, expected in (([1, 2, 3, 4, 4, 5], True), ([1, 2, 3, 4, 3, 5], False)):
        path.write_bytes(bytes(sum(t)))
        assert times.is_in_order(path, np.array(t)) == expected


@pytest.mark.parametrize('version', ['0', '3', '10', '2.0'])
def test_dat_of_another_version_is_refused(tmp_path, version):
    write_dat(tmp_path / 'a.dat', some_events(SIZE), f'% Version {version}\n% Width 304\n% Height 240\n')
    with pytest.raises(ValueError, match=rf"a\.dat: it must be of version 1 or 2, but its header says '{version}'"):
        read_events(tmp_path / 'a.dat')


@pytest.mark.parametrize(('t_range', 'kept'), [(None, slice(0, 4)), ((2**32 - 1, 2**32 + 1), slice(1, 3))])
def test_dat_counts_on_when_its_32_bits_of_time_are_used_up(tmp_path, t_range, kept):
    events = some_events(SIZE, 4)
    events['t'] = [2**32 - 2, 2**32 - 1, 0, 1]
    write_dat(tmp_path / 'a.dat', events)
    events['t'][2:] += 2**32
    recording = read_events(tmp_path / 'a.dat', t_range=t_range)
    np.testing.assert_array_equal(recording.events, events[kept])
    assert list(recording.report.repaired.values()) == [sum(events['t'][kept] >= 2**32)]
    assert 'overflow of the counter' in str(recording.report)


@pytest.mark.parametrize(('counter', 'expected'), [
    ([13, 15, 0, 2], [13, 15, 16, 18]),
    ([9, 12, 4, 6], [9, 12, 4, 6]),  # a fall by half the range is out of order, no overflow
    ([9, 12, 3, 6], [9, 12, 19, 22]),
    ([5, 4, 9, 13, 12], [5, 4, 9, 13, 12]),  # more than half the range, in steps that are less
    ([15, 0, 15, 1], [15, 16, 15, 17]),  # out of order next to the overflow
    ([0, 15, 1], [0, 15, 17]),
    ([14, 1, 14, 1, 14, 1], [14, 17, 14, 17, 14, 17]),
    ([], []),
])
def test_a_counter_of_four_bits_is_unwrapped(counter, expected):
    assert times.unwrap(np.array(counter, np.uint32), 4).tolist() == expected


def test_evt3_time_that_is_a_little_out_of_order_is_no_overflow(tmp_path):
    write_raw(tmp_path / 'a.raw', [0, 8 << 12 | 2000, 6 << 12 | 1, 2 << 12, 8 << 12 | 1999, 6 << 12 | 1, 2 << 12])
    assert read_events(tmp_path / 'a.raw').events['t'].tolist() == [(1999 << 12) + 1, (2000 << 12) + 1]
