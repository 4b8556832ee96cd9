"""Writers of small recordings in the formats that only cameras and their software write."""

import struct

import numpy as np

from spikemm.datasets.events import make_events


def some_events(size, count=200, seed=0):
    """Make events in order, with their extremes at the corners of the sensor; ``size`` is (height, width)."""
    rng = np.random.default_rng(seed)
    x, y = (np.append([0, side - 1], rng.integers(0, side, count - 2)) for side in size[::-1])
    return make_events(np.sort(rng.integers(1, 100_000, count)), x, y, rng.integers(0, 2, count))


def write_aedat2(path, events, address, header='# AEChip: eu.seebetter.ini.chips.davis.Davis346B\r\n'):
    """Write pairs of address and time stamp; ``address`` computes the first from the columns of the events."""
    words = np.stack([address(*(events[name].astype(np.int64) for name in 'xyp')), events['t']], axis=1)
    path.write_bytes(b'#!AER-DAT2.0\r\n' + header.encode() + words.astype('>u4').tobytes())


def davis_address(x, y, p):
    return 259 - y << 22 | 345 - x << 12 | p << 11


def dvs128_address(x, y, p):
    return 127 - x << 8 | 127 - y << 1 | 1 - p


def aedat3_packet(events, kind=1, source=1, overflow=0, valid=1, empty=0):
    """Make a packet of events, with ``empty`` places that are not used behind them."""
    x, y, p = (events[name].astype(np.int64) for name in 'xyp')
    words = np.stack([x << 17 | y << 2 | p << 1 | valid, events['t']], axis=1).astype('<u4')
    count, number_valid = len(events), int((words[:, 0] & 1).sum())
    header = struct.pack('<2H6I', kind, source, 8, 4, overflow, count + empty, count, number_valid)
    return header + words.tobytes() + bytes(8 * empty)


def write_aedat3(path, *packets, header='#Format: RAW\r\n#Source 1: DVS128\r\n'):
    path.write_bytes(b'#!AER-DAT3.1\r\n' + header.encode() + b'#!END-HEADER\r\n' + b''.join(packets))


def write_aedat4(path, events, size, stream='EVTS'):
    """Write AEDAT 4 without compression, one packet: FlatBuffers laid out by hand, each with its length in front."""
    height, width = size
    text = (f'<dv><node name="outInfo" path="/"><node name="0" path="/0/"><attr key="typeIdentifier" type="string">'
            f'{stream}</attr><node name="info" path="/0/info/"><attr key="sizeX" type="int">{width}</attr><attr '
            f'key="sizeY" type="int">{height}</attr></node></node></node></dv>').encode()
    # the offset of the table, the name, the table's list of fields, the table, and what the table points at
    header = struct.pack('<I4s5H2xiIqI', 20, b'IOHE', 10, 16, 0, 8, 4, 12, 12, -1, len(text)) + text
    header += bytes(4 - len(header) % 4)
    rows = np.zeros(len(events), {'names': list('txyp'), 'formats': ['<i8', '<i2', '<i2', 'u1'], 'itemsize': 16})
    for name in 'txyp':
        rows[name] = events[name]
    packet = struct.pack('<I4s3H2xiII', 16, b'EVTS', 6, 8, 4, 8, 4, len(rows)) + rows.tobytes()
    packet = struct.pack('<I', len(packet)) + packet
    path.write_bytes(b'#!AER-DAT4.0\r\n' + struct.pack('<I', len(header)) + header
                     + struct.pack('<2I', 0, len(packet)) + packet)


def write_dat(path, events, header='% Version 2\n% Width 304\n% Height 240\n', kind=12, x_bits=14, y_bits=14):
    t, x, y, p = (events[name].astype(np.int64) for name in 'txyp')
    words = np.stack([t, p << x_bits + y_bits | y << x_bits | x], axis=1).astype('<u4')
    path.write_bytes(b'% Data file containing CD events\n' + header.encode() + bytes([kind, 8]) + words.tobytes())


def write_raw(path, words, version='3.0', header='% geometry 1280x720\n% end\n'):
    width = {'2.0': 4}.get(version, 2)
    path.write_bytes(f'% evt {version}\n{header}'.encode() + np.array(words, f'<u{width}').tobytes())
