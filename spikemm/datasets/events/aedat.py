"""AEDAT 2.0 and 3.1, ``.aedat``, of the iniVation cameras (jAER, cAER).

The bits are those of `AEDAT file formats
<https://inivation.github.io/inivation-docs/Software%20user%20guides/AEDAT_file_formats.html>`_.
"""

import re
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from spikemm.datasets.events.header import read_lines
from spikemm.datasets.events.recording import Columns

SENSORS = {
    r'dvs128': (128, 128),
    r'davis?\D*240': (180, 240),
    r'davis?\D*346': (260, 346),
    r'davis?\D*640': (480, 640),
}
"""Height and width of the cameras, by what a header calls them (jAER: ``eu.seebetter.ini.chips.davis.Davis346B``)."""

DVS128 = (128, 128)
PACKET = struct.Struct('<2H6I')  # type, source, then size, time offset, time overflow, capacity, number, valid
EVENT_WIDTH = 8  # bytes
POLARITY = 1  # type of the packets that hold events of pixels


def read_aedat(path: Path, size: tuple[int, int] | None) -> Columns:
    """Read AEDAT 2.0 or 3.1, whichever the first line says.

    Args:
        path: The file.
        size: Height and width of the sensor; of a 2.0 file whose header does not name the camera, it tells which one.

    Raises:
        ValueError: It is another version or format, or the file is cut off.
    """
    with path.open('rb') as file:
        if not file.read(9).startswith(b'#!AER-DAT'):
            raise ValueError(f'{path}: it is no AEDAT file, which begins with #!AER-DAT.')
        version = file.readline(16).decode('ascii', 'replace').strip()
        file.seek(0)
        if version == '2.0':
            return read_aedat2(path, file, size)
        if version == '3.1':
            return read_aedat3(path, file)
    hint = ', rename it to .aedat4' if version == '4.0' else ''
    raise ValueError(f'{path}: it is AEDAT {version}, and .aedat files must be of version 2.0 or 3.1{hint}.')


def read_aedat2(path: Path, file: BinaryIO, size: tuple[int, int] | None) -> Columns:
    """Read pairs of address and time stamp in us, 32 bits each, highest byte first."""
    lines = read_lines(file, b'#', 'end of ascii header')
    camera = find_sensor(line for line in lines if line.lower().startswith('aechip')) or size
    if camera is None:
        raise ValueError(f'{path}: its header names no known camera, which tells how to read the addresses; give '
                         'size=(height, width), (128, 128) for a DVS128, (180, 240) or (260, 346) for a DAVIS.')
    data, start = file.read(), file.tell()
    if len(data) % 8:
        raise ValueError(f'{path}: it ends inside an event of 8 bytes, at byte {start}.')
    words = np.frombuffer(data, '>u4').astype(np.int64).reshape(-1, 2)
    decode = decode_dvs128 if tuple(camera) == DVS128 else decode_davis
    return decode(words[:, 0], words[:, 1], tuple(camera))


def decode_dvs128(address: np.ndarray, t: np.ndarray, size: tuple[int, int]) -> Columns:
    """Take addresses apart: bit 0 polarity, bits 1-7 and 8-14 the pixel, bit 15 an external signal.

    Which is the column follows SpikingJelly's reader of CIFAR10-DVS, so that models trained on its data fit; the
    picture is the one jAER shows, mirrored at its diagonal.
    """
    pixel = address & 0x8000 == 0
    facts = {'words that are no events of pixels': int((~pixel).sum())} if not pixel.all() else {}
    address, t = address[pixel], t[pixel]
    return Columns(t, 127 - (address >> 8 & 127), 127 - (address >> 1 & 127), 1 - (address & 1), size, facts=facts)


def decode_davis(address: np.ndarray, t: np.ndarray, size: tuple[int, int]) -> Columns:
    """Take addresses apart: bit 11 polarity, bits 12-21 x, bits 22-30 y; bit 31 or 10 are frames, motion and signals.

    Columns and rows are counted from the right and from below, as jAER has it.
    """
    pixel = address & 0x80000400 == 0
    facts = {'words that are no events of pixels': int((~pixel).sum())} if not pixel.all() else {}
    address, t = address[pixel], t[pixel]
    x, y = size[1] - 1 - (address >> 12 & 0x3ff), size[0] - 1 - (address >> 22 & 0x1ff)
    return Columns(t, x, y, address >> 11 & 1, size, facts=facts)


def read_aedat3(path: Path, file: BinaryIO) -> Columns:
    """Read the polarity packets of the first camera in the file, little-endian, 8 bytes an event."""
    lines = read_lines(file, b'#', '!end-header')
    stated = next((line for line in lines if line.lower().startswith('format:')), 'Format: RAW')
    if stated.partition(':')[2].strip().upper() != 'RAW':
        raise ValueError(f'{path}: its packets must be in the format RAW, but the header says {stated!r}.')
    packets = list(polarity_packets(path, file))
    source = packets[0][0] if packets else None
    words = np.concatenate([words for camera, words in packets if camera == source] or [np.zeros((0, 2), np.int64)])
    valid = words[:, 0] & 1 == 1
    dropped = {} if valid.all() else {'marked as invalid': int((~valid).sum())}
    data, t = words[valid].T
    size = find_sensor(line for line in lines if line.lower().startswith(f'source {source}:'))
    return Columns(t, data >> 17, data >> 2 & 0x7fff, data >> 1 & 1, size, dropped=dropped)


def polarity_packets(path: Path, file: BinaryIO) -> Iterator[tuple[int, np.ndarray]]:
    """Give the camera and the events of each packet, data words and full time stamps in us, shape ``[N, 2]``.

    Args:
        path: The file, for the messages.
        file: The same, open and behind its header.

    Raises:
        ValueError: A packet is damaged or cut off.
    """
    start = file.tell()
    data = file.read()
    position = 0
    while position < len(data):
        if position + PACKET.size > len(data):
            raise ValueError(f'{path}: it ends inside the header of the packet at byte {start + position}.')
        kind, camera, width, _, overflow, capacity, number, _ = PACKET.unpack_from(data, position)
        first = position + PACKET.size
        end = first + width * capacity
        if width < 1 or number > capacity or end > len(data) or (kind == POLARITY and width != EVENT_WIDTH):
            raise ValueError(f'{path}: the packet at byte {start + position}, {capacity} events of {width} bytes, is '
                             f'damaged or cut off; the file has {start + len(data)} bytes.')
        if kind == POLARITY and number:
            words = np.frombuffer(data, '<u4', 2 * number, first).reshape(-1, 2).astype(np.int64)
            words[:, 1] |= overflow << 31
            yield camera, words
        position = end


def find_sensor(lines: Iterable[str]) -> tuple[int, int] | None:
    """Find height and width of the camera that a header line names, or return None."""
    text = ' '.join(lines).lower()
    return next((size for name, size in SENSORS.items() if re.search(name, text)), None)
