import numpy as np
import pytest
from event_files import some_events
from spikingjelly.datasets.utils import load_ATIS_bin

from spikemm.datasets.events import make_events, read_events, write_atis

SIZE = (34, 34)


def test_what_is_written_is_read(tmp_path):
    events = some_events(SIZE)
    write_atis(tmp_path / 'a.bin', events)
    recording = read_events(tmp_path / 'a.bin', size=SIZE)
    np.testing.assert_array_equal(recording.events, events)
    assert not recording.report.dropped


def test_five_bytes_worked_out_by_hand(tmp_path):
    (tmp_path / 'a.bin').write_bytes(bytes([7, 15, 0x80 | 1, 2, 3]))
    assert read_events(tmp_path / 'a.bin', size=SIZE).events.tolist() == [((1 << 16) + (2 << 8) + 3, 7, 15, 1)]


def test_it_is_what_spikingjelly_reads(tmp_path):
    write_atis(tmp_path / 'a.bin', some_events((180, 240)))
    columns = load_ATIS_bin(tmp_path / 'a.bin')
    events = read_events(tmp_path / 'a.bin', size=(180, 240)).events
    for name in 'txyp':
        np.testing.assert_array_equal(events[name], columns[name])


def test_an_overflow_word_moves_all_later_time_stamps_and_is_no_event(tmp_path):
    words = [[1, 2, 0, 0, 5], [0, 240, 0, 0, 9], [3, 4, 128, 0, 1], [0, 240, 0, 0, 0], [5, 6, 0, 0, 2]]
    (tmp_path / 'a.bin').write_bytes(np.array(words, np.uint8).tobytes())
    events = read_events(tmp_path / 'a.bin', size=SIZE).events
    assert events.tolist() == [(5, 1, 2, 0), (8192 + 1, 3, 4, 1), (2 * 8192 + 2, 5, 6, 0)]


def test_a_file_that_ends_inside_an_event_names_the_byte(tmp_path):
    (tmp_path / 'a.bin').write_bytes(bytes(13))
    with pytest.raises(ValueError, match=r'a\.bin: it ends inside an event of 5 bytes, at byte 13'):
        read_events(tmp_path / 'a.bin', size=SIZE)


@pytest.mark.parametrize('event', [(1 << 23, 0, 0, 0), (-1, 0, 0, 0), (0, 256, 0, 0), (0, 0, 300, 0), (0, 0, 240, 0)])
def test_events_that_the_format_cannot_hold_are_refused(tmp_path, event):
    with pytest.raises(ValueError, match=rf'`events` must have .*\({event[0]}, {event[1]}, {event[2]}'):
        write_atis(tmp_path / 'a.bin', make_events(*np.array([(0, 0, 0, 0), event]).T))


def test_no_events_and_another_suffix_are_refused(tmp_path):
    with pytest.raises(ValueError, match='must hold an event'):
        write_atis(tmp_path / 'a.bin', some_events(SIZE)[:0])
    with pytest.raises(ValueError, match=r"must end in '\.bin', but got .*a\.npz"):
        write_atis(tmp_path / 'a.npz', some_events(SIZE))


def test_overflow_words_only_are_no_recording(tmp_path):
    (tmp_path / 'a.bin').write_bytes(bytes([0, 240, 0, 0, 9] * 3))
    with pytest.raises(ValueError, match='the recording holds no event'):
        read_events(tmp_path / 'a.bin', size=SIZE)
