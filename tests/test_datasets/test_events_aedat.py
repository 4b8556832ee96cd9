from itertools import pairwise

import aedat
import numpy as np
import pytest
from event_files import (
    aedat3_packet,
    davis_address,
    dvs128_address,
    some_events,
    write_aedat2,
    write_aedat3,
    write_aedat4,
)
from spikingjelly.datasets.cifar10_dvs import _load_origin_data
from spikingjelly.datasets.utils import load_aedat_v3

from spikemm.datasets.events import read_events
from spikemm.datasets.events.aedat import Packet

DVS128 = '# AEChip: ch.unizh.ini.jaer.chip.retina.DVS128\r\n'


def assert_columns_equal(events, columns):
    for name in 'txyp':
        np.testing.assert_array_equal(events[name], columns[name], err_msg=name)


def test_aedat2_of_a_dvs128_is_what_spikingjelly_reads_of_cifar10_dvs(tmp_path):
    path = tmp_path / 'a.aedat'
    events = some_events((128, 128))
    write_aedat2(path, events, dvs128_address, DVS128)
    recording = read_events(path)
    assert recording.size == (128, 128)
    assert_columns_equal(recording.events, events)
    assert_columns_equal(recording.events, _load_origin_data(path))


def test_aedat2_of_a_davis_counts_pixels_from_the_upper_left(tmp_path):
    path = tmp_path / 'a.aedat'
    events = some_events((260, 346))
    write_aedat2(path, events, davis_address)
    recording = read_events(path)
    assert recording.size == (260, 346)
    assert_columns_equal(recording.events, events)


@pytest.mark.parametrize('bit', [10, 31])
def test_aedat2_words_of_frames_and_signals_are_no_events(tmp_path, bit):
    path = tmp_path / 'a.aedat'
    write_aedat2(path, some_events((260, 346), 20), lambda x, y, p: davis_address(x, y, p) | (x > 100) << bit)
    recording = read_events(path)
    assert 0 < len(recording.events) < 20
    assert recording.events['x'].max() <= 100
    assert recording.report.facts['words that are no events of pixels'] == 20 - len(recording.events)


def test_aedat2_whose_header_names_no_camera_takes_it_from_size(tmp_path):
    path = tmp_path / 'a.aedat'
    events = some_events((128, 128))
    write_aedat2(path, events, dvs128_address, '# Timestamps tick is 1 us\r\n')
    assert_columns_equal(read_events(path, size=(128, 128)).events, events)
    with pytest.raises(ValueError, match=r'a\.aedat: its header names no known camera.*size='):
        read_events(path)


def test_aedat2_events_that_begin_like_a_header_line_are_events(tmp_path):
    path = tmp_path / 'a.aedat'
    events = some_events((260, 346), 2)
    write_aedat2(path, events, lambda x, y, p: np.full(len(x), 0x23000a00), '# AEChip: DAVIS346\r\n')  # begins with #
    assert len(read_events(path).events) == 2


def test_aedat2_that_ends_inside_an_event_names_the_byte(tmp_path):
    path = tmp_path / 'a.aedat'
    write_aedat2(path, some_events((128, 128)), dvs128_address, DVS128)
    data = path.read_bytes()[:-3]
    path.write_bytes(data)
    with pytest.raises(ValueError, match=rf'a\.aedat: it ends inside an event of 8 bytes, at byte {len(data)}'):
        read_events(path)


def test_aedat3_is_what_spikingjelly_reads_over_packets_and_a_time_overflow(tmp_path):
    path = tmp_path / 'a.aedat'
    events = some_events((128, 128))
    other = aedat3_packet(events[:3], kind=0)
    write_aedat3(path, aedat3_packet(events), other, aedat3_packet(events, overflow=1))
    recording = read_events(path)
    assert recording.size == (128, 128)
    assert recording.events['t'][-1] == 2 ** 31 + events['t'][-1]
    assert_columns_equal(recording.events[:200], events)
    assert_columns_equal(recording.events, load_aedat_v3(path))


def test_aedat3_events_marked_invalid_are_dropped_and_counted(tmp_path):
    path = tmp_path / 'a.aedat'
    events, valid = some_events((128, 128), 50), np.arange(50) % 5 != 0
    write_aedat3(path, aedat3_packet(events, valid=valid, empty=4))
    recording = read_events(path)
    assert_columns_equal(recording.events, events[valid])
    assert recording.report.dropped == {'marked as invalid': 10}
    assert recording.report.read == 50


def packets_of(events, sizes, **kwargs):
    bounds = np.cumsum([0, *sizes])
    return [aedat3_packet(events[a:b], **kwargs) for a, b in pairwise(bounds)]


@pytest.mark.parametrize(('first', 'last'), [(50, 120), (0, 10), (40, 80), (60, 61), (199, 200), (80, 80)])
def test_aedat3_gives_the_events_in_the_range(tmp_path, first, last):
    path = tmp_path / 'a.aedat'
    events = some_events((128, 128))
    events['t'] = 1000 + 10 * np.arange(200)
    write_aedat3(path, *packets_of(events, [40] * 5, overflow=1))
    start = 2 ** 31 + 1000
    recording = read_events(path, t_range=(start + 10 * first - 5, start + 10 * last - 5 + (first == last)))
    assert_columns_equal(recording.events, {**{name: events[first:last][name] for name in 'xyp'},
                                            't': events['t'][first:last] + 2 ** 31})
    assert recording.report.read == last - first


def test_aedat3_decodes_only_the_packets_that_the_range_needs(tmp_path, monkeypatch):
    path, decoded, decode = tmp_path / 'a.aedat', [], Packet.decode
    events = some_events((128, 128))
    write_aedat3(path, *packets_of(events, [40] * 5))
    monkeypatch.setattr(Packet, 'decode', lambda packet: decoded.append(int(packet.words[0, 1])) or decode(packet))
    assert len(read_events(path, t_range=(events['t'][85], events['t'][130])).events) == 45
    assert decoded == events['t'][[80, 120]].tolist()


def test_aedat3_out_of_order_loses_no_event_of_the_range(tmp_path):
    path = tmp_path / 'a.aedat'
    events = some_events((128, 128), 9)
    events['t'] = [10, 55, 20, 30, 31, 32, 90, 52, 80]
    write_aedat3(path, *packets_of(events, [3] * 3))
    assert read_events(path, t_range=(50, 60)).events['t'].tolist() == [52, 55]


def test_aedat3_invalid_events_outside_the_range_are_not_counted(tmp_path):
    path = tmp_path / 'a.aedat'
    events = some_events((128, 128), 100)
    events['t'] = np.arange(100)
    write_aedat3(path, *packets_of(events[:50], [50], valid=np.arange(50) % 5 != 0), aedat3_packet(events[50:]))
    report = read_events(path, t_range=(8, 21)).report
    assert report.dropped == {'marked as invalid': 3} and report.read == 13


def test_aedat3_names_an_event_of_the_range_by_its_place_in_the_file(tmp_path):
    path = tmp_path / 'a.aedat'
    events = some_events((128, 128))
    events['x'][100] = 128
    write_aedat3(path, *packets_of(events, [40] * 5))
    with pytest.raises(ValueError, match=r'a\.aedat: event 100 .* x = 128'):
        read_events(path, t_range=(events['t'][90], 200_000))


def test_aedat3_cut_off_behind_the_range_is_refused(tmp_path):
    path = tmp_path / 'a.aedat'
    events = some_events((128, 128))
    write_aedat3(path, *packets_of(events, [40] * 5))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r'a\.aedat: the packet at byte .* is damaged or cut off'):
        read_events(path, t_range=(0, events['t'][10]))


@pytest.mark.parametrize('t_range', [None, (0, 10)])
def test_aedat3_without_a_valid_event_is_refused(tmp_path, t_range):
    path = tmp_path / 'a.aedat'
    for packets in ([], [aedat3_packet(some_events((128, 128), 20), valid=0)]):
        for header in ('#Format: RAW\r\n', '#Format: RAW\r\n#Source 1: DVS128\r\n'):
            write_aedat3(path, *packets, header=header)
            with pytest.raises(ValueError, match='the recording holds no event'):
                read_events(path, t_range=t_range)


def test_aedat3_of_two_cameras_gives_the_first_and_counts_the_other(tmp_path):
    path = tmp_path / 'a.aedat'
    events = some_events((128, 128), 20)
    write_aedat3(path, aedat3_packet(events), aedat3_packet(events[:7], source=2))
    recording = read_events(path)
    assert_columns_equal(recording.events, events)
    assert recording.report.facts['of other cameras'] == 7


@pytest.mark.parametrize(('cut', 'reason'), [
    (1, 'the packet at byte {second}, 200 events of 8 bytes, is damaged or cut off'),
    (1620, 'it ends inside the header of the packet at byte {second}'),
])
def test_aedat3_cut_off_in_its_second_packet_names_the_byte(tmp_path, cut, reason):
    path = tmp_path / 'a.aedat'
    packet = aedat3_packet(some_events((128, 128)))
    write_aedat3(path, packet, packet)
    data = path.read_bytes()
    path.write_bytes(data[:-cut])
    with pytest.raises(ValueError, match=r'a\.aedat: ' + reason.format(second=len(data) - len(packet))):
        read_events(path)


def test_aedat3_that_is_compressed_is_refused(tmp_path):
    path = tmp_path / 'a.aedat'
    write_aedat3(path, header='#Format: SerializedTS\r\n')
    with pytest.raises(ValueError, match=r'must be in the format RAW.*SerializedTS'):
        read_events(path)


@pytest.mark.parametrize(('start', 'reason'), [
    (b'#!AER-DAT1.0\r\n', 'it is AEDAT 1.0, and .aedat files must be of version 2.0 or 3.1'),
    (b'#!AER-DAT4.0\r\n', 'rename it to .aedat4'),
    (b'PK\x03\x04 something else', 'it is no AEDAT file'),
])
def test_another_version_or_format_is_refused_by_name(tmp_path, start, reason):
    path = tmp_path / 'a.aedat'
    path.write_bytes(start)
    with pytest.raises(ValueError, match=rf'a\.aedat: .*{reason}'):
        read_events(path)


def test_aedat4_has_events_and_sensor_size(tmp_path):
    path = tmp_path / 'a.aedat4'
    events = some_events((60, 80))
    events['t'] += 1_605_537_493_718_345  # time of day, as DV writes it
    write_aedat4(path, events, (60, 80))
    recording = read_events(path)
    assert recording.size == (60, 80)
    assert_columns_equal(recording.events, events)


def test_aedat4_without_a_stream_of_events_is_refused(tmp_path):
    path = tmp_path / 'a.aedat4'
    write_aedat4(path, some_events((60, 80)), (60, 80), stream='IMUS')
    with pytest.raises(ValueError, match=r'a\.aedat4: it holds no stream of events'):
        read_events(path)


@pytest.mark.parametrize(('keep', 'reason'), [(-5, 'the packet at byte {packet} is'), (100, 'the header is')])
def test_aedat4_cut_off_names_the_place(tmp_path, keep, reason):
    path = tmp_path / 'a.aedat4'
    write_aedat4(path, some_events((60, 80)), (60, 80))
    data = path.read_bytes()
    path.write_bytes(data[:keep])
    packet = 18 + int.from_bytes(data[14:18], 'little')
    with pytest.raises(ValueError, match=rf'a\.aedat4: {reason.format(packet=packet)} damaged or cut off'):
        read_events(path)


def test_aedat4_by_its_suffix_only_is_refused(tmp_path):
    path = tmp_path / 'a.aedat4'
    path.write_bytes(b'#!AER-DAT2.0\r\n')
    with pytest.raises(ValueError, match=r'a\.aedat4: it is no AEDAT 4 file'):
        read_events(path)


def test_aedat2_counts_on_when_its_32_bits_of_time_are_used_up(tmp_path):
    path = tmp_path / 'a.aedat'
    events = some_events((128, 128), 4)
    events['t'] = [2**32 - 2, 2**32 - 1, 0, 1]
    write_aedat2(path, events, dvs128_address, DVS128)
    recording = read_events(path)
    assert recording.events['t'].tolist() == [2**32 - 2, 2**32 - 1, 2**32, 2**32 + 1]
    assert recording.report.repaired == {'after an overflow of the counter of the time stamps': 2}


def test_aedat2_takes_from_size_only_cameras_that_it_knows(tmp_path):
    path = tmp_path / 'a.aedat'
    write_aedat2(path, some_events((128, 128)), dvs128_address, '# Timestamps tick is 1 us\r\n')
    with pytest.raises(ValueError, match=r'\(128, 128\) for a DVS128, one of .*\(260, 346\).*but not \(64, 64\)'):
        read_events(path, size=(64, 64))


def test_aedat2_pixels_that_a_davis_has_not_are_outside_the_sensor(tmp_path):
    path = tmp_path / 'a.aedat'
    write_aedat2(path, some_events((260, 346), 5), lambda x, y, p: davis_address(x * 0 - 3, y * 0, p))
    with pytest.raises(ValueError, match='is at x = -3, y = 0, outside the sensor of 346 x 260 pixels'):
        read_events(path)


def test_aedat4_of_two_cameras_gives_the_first_and_counts_the_other(tmp_path, monkeypatch):
    path = tmp_path / 'a.aedat4'
    events = some_events((60, 80))
    write_aedat4(path, events, (60, 80))
    stream, (packet,) = aedat.Decoder(str(path)).id_to_stream()[0], list(aedat.Decoder(str(path)))

    class TwoCameras(list):
        def id_to_stream(self):
            return {number: {**stream, 'width': 80 + number} for number in (0, 1)}

    other = {**packet, 'stream_id': 1, 'events': packet['events'][:7]}
    monkeypatch.setattr(aedat, 'Decoder', lambda path: TwoCameras([other, packet]))
    recording = read_events(path)
    assert_columns_equal(recording.events, events)
    assert recording.report.facts['of other cameras'] == 7


def test_aedat4_panic_of_the_decoder_is_an_error_that_names_the_file(tmp_path):
    path = tmp_path / 'a.aedat4'
    path.write_bytes(b'#!AER-DAT4.0\r\n' + bytes(30))
    with pytest.raises(ValueError, match=r'a\.aedat4: the header is damaged or cut off'):
        read_events(path)


def test_aedat4_stop_of_the_user_is_no_damage(tmp_path, monkeypatch):
    def stop(path):
        raise KeyboardInterrupt

    path = tmp_path / 'a.aedat4'
    write_aedat4(path, some_events((60, 80)), (60, 80))
    monkeypatch.setattr(aedat, 'Decoder', stop)
    with pytest.raises(KeyboardInterrupt):
        read_events(path)


def test_aedat4_description_that_is_no_text_does_not_reach_the_decoder(tmp_path, monkeypatch):
    path = tmp_path / 'a.aedat4'
    write_aedat4(path, some_events((60, 80)), (60, 80))
    path.write_bytes(path.read_bytes().replace(b'outInfo', b'ou\xc3Info'))  # the first of two bytes of a letter
    monkeypatch.delattr(aedat, 'Decoder')
    with pytest.raises(ValueError, match=r"a\.aedat4: the header is damaged or cut off \('utf-8' codec"):
        read_events(path)
