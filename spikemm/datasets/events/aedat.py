"""AEDAT 2.0 and 3.1, ``.aedat``, of the iniVation cameras (jAER, cAER).

The bits are those of `AEDAT file formats
<https://inivation.github.io/inivation-docs/Software%20user%20guides/AEDAT_file_formats.html>`_.
"""

import re
import struct
from collections.abc import Iterable, Iterator
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from spikemm.datasets.events.header import read_lines
from spikemm.datasets.events.recording import Columns, NeedsSetting

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


def read_aedat(path: Path, size: tuple[int, int] | None, t_range: tuple[int, int] | None) -> Columns:
    """Read AEDAT 2.0 or 3.1, whichever the first line says.

    Args:
        path: The file.
        size: Height and width of the sensor; of a 2.0 file whose header does not name the camera, it tells which one,
            and must be one of ``SENSORS``.
        t_range: Start and end in us, or None; of a 3.1 file only the packets are decoded that the range needs.

    Raises:
        ValueError: It is another version or format, or the file is cut off.
        NeedsSetting: Neither a 2.0 file nor ``size`` tells which camera it is of.
    """
    with path.open('rb') as file:
        if not file.read(9).startswith(b'#!AER-DAT'):
            raise ValueError(f'{path}: it is no AEDAT file, which begins with #!AER-DAT.')
        version = file.readline(16).decode('ascii', 'replace').strip()
        file.seek(0)
        if version == '2.0':
            return read_aedat2(path, file, size)
        if version == '3.1':
            return read_aedat3(path, file, t_range)
    hint = ', rename it to .aedat4' if version == '4.0' else ''
    raise ValueError(f'{path}: it is AEDAT {version}, and .aedat files must be of version 2.0 or 3.1{hint}.')


def read_aedat2(path: Path, file: BinaryIO, size: tuple[int, int] | None) -> Columns:
    """Read pairs of address and time stamp in us, 32 bits each, highest byte first."""
    lines = read_lines(file, b'#', 'end of ascii header')
    camera = find_sensor(line for line in lines if line.lower().startswith('aechip')) or (size and tuple(size))
    if camera not in SENSORS.values():
        raise NeedsSetting(f'{path}: its header names no known camera, which tells how to read the addresses; give '
                           f'size=(height, width), (128, 128) for a DVS128, one of {tuple(SENSORS.values())[1:]} for a '
                           f'DAVIS, but not {camera!r}.')
    data, start = file.read(), file.tell()
    if len(data) % 8:
        raise ValueError(f'{path}: it ends inside an event of 8 bytes, at byte {start}.')
    words = np.frombuffer(data, '>u4').astype(np.uint32).reshape(-1, 2)
    decode = decode_dvs128 if camera == DVS128 else decode_davis
    return decode(words[:, 0], words[:, 1], camera)


def decode_dvs128(address: np.ndarray, t: np.ndarray, size: tuple[int, int]) -> Columns:
    """Take addresses apart: bit 0 polarity, bits 1-7 and 8-14 the pixel, bit 15 an external signal.

    Which is the column follows SpikingJelly's reader of CIFAR10-DVS, so that models trained on its data fit; the
    picture is the one jAER shows, mirrored at its diagonal.
    """
    pixel = address & 0x8000 == 0
    facts = {'words that are no events of pixels': int((~pixel).sum())} if not pixel.all() else {}
    address, t = address[pixel], t[pixel]
    x, y = 127 - (address >> 8 & 127), 127 - (address >> 1 & 127)
    return Columns(t, x, y, 1 - (address & 1), size, facts=facts, t_bits=32)


def decode_davis(address: np.ndarray, t: np.ndarray, size: tuple[int, int]) -> Columns:
    """Take addresses apart: bit 11 polarity, bits 12-21 x, bits 22-30 y; bit 31 or 10 are frames, motion and signals.

    Columns and rows are counted from the right and from below, as jAER has it.
    """
    pixel = address & 0x80000400 == 0
    facts = {'words that are no events of pixels': int((~pixel).sum())} if not pixel.all() else {}
    address, t = address[pixel].astype(np.int64), t[pixel]  # signed: a pixel may turn out to be below 0
    x, y = size[1] - 1 - (address >> 12 & 0x3ff), size[0] - 1 - (address >> 22 & 0x1ff)
    return Columns(t, x, y, address >> 11 & 1, size, facts=facts, t_bits=32)


class Packet(NamedTuple):
    """Polarity events as they stand in the file.

    Args:
        camera: Number of the camera that they are of.
        valid: How many of them are marked as valid.
        overflow: How often the 31 bits of their time stamps have overflowed.
        words: Data words and time stamps, uint32, shape ``[N, 2]``.
    """

    camera: int
    valid: int
    overflow: int
    words: np.ndarray

    def overlaps(self, t_range: tuple[int, int]) -> bool:
        """Tell whether an event may lie in the range, whatever their order is."""
        before, t = self.overflow << 31, self.words[:, 1]
        return before + int(t.min()) < t_range[1] and before + int(t.max()) >= t_range[0]

    def decode(self) -> np.ndarray:
        """Give data words and full time stamps in us, int64, shape ``[N, 2]``."""
        words = self.words.astype(np.int64)
        words[:, 1] |= self.overflow << 31
        return words


def read_aedat3(path: Path, file: BinaryIO, t_range: tuple[int, int] | None) -> Columns:
    """Read the polarity packets of the first camera in the file, little-endian, 8 bytes an event.

    With a range, those from the first to the last that overlap it.
    """
    lines = read_lines(file, b'#', '!end-header')
    stated = next((line for line in lines if line.lower().startswith('format:')), 'Format: RAW')
    if stated.partition(':')[2].strip().upper() != 'RAW':
        raise ValueError(f'{path}: its packets must be in the format RAW, but the header says {stated!r}.')
    packets = list(polarity_packets(path, file))
    source = packets[0].camera if packets else None
    others = sum(packet.valid for packet in packets if packet.camera != source)
    packets = [packet for packet in packets if packet.camera == source]
    first, last, partial = 0, len(packets), t_range is not None and any(packet.valid for packet in packets)
    if t_range is not None:
        needed = [i for i, packet in enumerate(packets) if packet.overlaps(t_range)]
        first, last = (needed[0], needed[-1] + 1) if needed else (0, 0)
    words = np.concatenate([*(packet.decode() for packet in packets[first:last]), np.zeros((0, 2), np.int64)])
    valid, t = words[:, 0] & 1 == 1, words[:, 1]
    invalid = ~valid if t_range is None else ~valid & (t >= t_range[0]) & (t < t_range[1])
    dropped = {'marked as invalid': int(invalid.sum())} if invalid.any() else {}
    data, t = words[valid].T
    size = find_sensor(line for line in lines if line.lower().startswith(f'source {source}:'))
    before = sum(packet.valid for packet in packets[:first])
    facts = {'of other cameras': others} if others else {}
    return Columns(t, data >> 17, data >> 2 & 0x7fff, data >> 1 & 1, size, before, partial, dropped, facts)


def polarity_packets(path: Path, file: BinaryIO) -> Iterator[Packet]:
    """Give the packets that hold polarity events, hopping from header to header.

    Args:
        path: The file, for the messages.
        file: The same, open and behind its header.

    Raises:
        ValueError: A packet is damaged or cut off.
    """
    position = file.tell()
    data = mmap(file.fileno(), 0, access=ACCESS_READ)
    while position < len(data):
        if position + PACKET.size > len(data):
            raise ValueError(f'{path}: it ends inside the header of the packet at byte {position}.')
        kind, camera, width, _, overflow, capacity, number, valid = PACKET.unpack_from(data, position)
        first = position + PACKET.size
        end = first + width * capacity
        if width < 1 or number > capacity or end > len(data) or (kind == POLARITY and width != EVENT_WIDTH):
            raise ValueError(f'{path}: the packet at byte {position}, {capacity} events of {width} bytes, is damaged '
                             f'or cut off; the file has {len(data)} bytes.')
        if kind == POLARITY and number:
            yield Packet(camera, valid, overflow, np.frombuffer(data, '<u4', 2 * number, first).reshape(-1, 2))
        position = end


def find_sensor(lines: Iterable[str]) -> tuple[int, int] | None:
    """Find height and width of the camera that a header line names, or return None."""
    text = ' '.join(lines).lower()
    return next((size for name, size in SENSORS.items() if re.search(name, text)), None)
