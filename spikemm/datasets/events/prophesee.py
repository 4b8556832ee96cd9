"""Prophesee's formats: ``.dat``, events one by one, and ``.raw``, the words of the camera as EVT 2.0 or 3.0.

The bits are those of `DAT File Format <https://docs.prophesee.ai/stable/data/file_formats/dat.html>`_ and
of `Data Encoding Formats <https://docs.prophesee.ai/stable/data/encoding_formats/index.html>`_.
"""

import re
from pathlib import Path
from typing import BinaryIO

import numpy as np

from spikemm.datasets.events.header import read_lines
from spikemm.datasets.events.recording import Columns
from spikemm.datasets.events.times import find_part, unwrap

DAT_EVENT = np.dtype([('t', '<u4'), ('data', '<u4')])
DAT_TYPES = (0x00, 0x0C)  # Event2d and EventCD


def read_dat(path: Path, t_range: tuple[int, int] | None) -> Columns:
    """Read a ``.dat`` file, or the part of it in a range of time.

    Version 2 has 14 bits for the column, 14 for the row and 4 for the polarity; the ATIS files before it, whose header
    says version 1 or none, have 9, 8 and 1.

    Args:
        path: The file.
        t_range: Start and end in us, or None.

    Raises:
        ValueError: It is another format or version, holds other than events of pixels, or ends inside an event.
    """
    with path.open('rb') as file:
        header = read_header(path, file)
        kind = file.read(2)
        start = file.tell()
    version = header.get('version', '1')
    if version not in ('1', '2'):
        raise ValueError(f'{path}: it must be of version 1 or 2, but its header says {version!r}.')
    if len(kind) < 2 or kind[0] not in DAT_TYPES or kind[1] != DAT_EVENT.itemsize:
        raise ValueError(f'{path}: at byte {start - len(kind)}, behind the header, must be the type of the events, 0 '
                         f'or 12, and their size, 8, but there is {list(kind)}.')
    length = path.stat().st_size - start
    if length % DAT_EVENT.itemsize:
        raise ValueError(f'{path}: it ends inside an event of 8 bytes, at byte {start + length}.')
    if not length:
        raise ValueError(f'{path}: the recording holds no event.')
    words = np.memmap(path, DAT_EVENT, 'r', start)
    part = find_part(path, words['t'], t_range)
    t, data = words['t'][part], words['data'][part]
    if version == '1':
        x, y, p = data & 0x1ff, data >> 9 & 0xff, data >> 17 & 1
    else:
        x, y, p = data & 0x3fff, data >> 14 & 0x3fff, data >> 28
    return Columns(t, x, y, p, find_size(header), part.start, t_range is not None, t_bits=32)


def read_raw(path: Path) -> Columns:
    """Read a ``.raw`` file of EVT 2.0 or 3.0, as its header says.

    Args:
        path: The file.

    Raises:
        ValueError: It is another format or version, or ends inside a word.
    """
    with path.open('rb') as file:
        header = read_header(path, file)
        stated = header.get('evt') or header.get('format', '').partition(';')[0].upper().removeprefix('EVT')
        version = {'2': '2.0', '3': '3.0'}.get(stated, stated)
        if version not in ('2.0', '3.0'):
            raise ValueError(f'{path}: it must be EVT 2.0 or 3.0, but its header says {stated or "nothing"!r}.')
        data, end = file.read(), file.tell()
    width = 4 if version == '2.0' else 2
    if len(data) % width:
        raise ValueError(f'{path}: it ends inside a word of {width} bytes, at byte {end}.')
    words = np.frombuffer(data, f'<u{width}')
    t, x, y, p, known = decode_evt2(words) if version == '2.0' else decode_evt3(words)
    dropped = {} if known.all() else {'before the first time stamp of the file': int((~known).sum())}
    return Columns(t[known], x[known], y[known], p[known], find_size(header), dropped=dropped)


def decode_evt2(words: np.ndarray) -> tuple[np.ndarray, ...]:
    """Decode words of 32 bits: types 0 and 1 are OFF and ON events, 8 the upper 28 bits of the time.

    Returns:
        t, x, y, p, and where the time is known, shape ``[N]`` each.
    """
    words = words.astype(np.int64)
    kind = words >> 28
    high = latest(kind == 8)
    event = np.flatnonzero(kind <= 1)
    word, high = words[event], high[event]
    t = unwrap_where(kind == 8, words & 0xfffffff, 28)[high] << 6 | word >> 22 & 63
    return t, word >> 11 & 0x7ff, word & 0x7ff, kind[event], high >= 0


def decode_evt3(words: np.ndarray) -> tuple[np.ndarray, ...]:
    """Decode words of 16 bits, which hold what changed: 0 the row, 2 an event, 3 to 5 vectors, 6 and 8 the time.

    A vector is a base (3), with column and polarity, and words of 12 (4) or 8 (5) bits for as many columns, each word
    starting where the one before it ended.

    Returns:
        t, x, y, p, and where time, row and base are known, shape ``[N]`` each.
    """
    words = words.astype(np.int64)
    kind, low = words >> 12, words & 0xfff
    width = np.where(kind == 4, 12, np.where(kind == 5, 8, 0))
    single = np.flatnonzero(kind == 2)
    vector = np.flatnonzero(width > 0)
    bits = low[vector, None] >> np.arange(12) & 1 & (np.arange(12) < width[vector, None])
    row, column = np.nonzero(bits)
    event = np.concatenate([single, vector[row]])  # index of the word that holds the event
    offset = np.concatenate([np.zeros(len(single), np.int64), column])
    order = np.argsort(event, kind='stable')
    event, offset = event[order], offset[order]

    before = np.cumsum(width) - width
    base, y, fine, coarse = (latest(kind == code)[event] for code in (3, 0, 6, 8))
    base = np.where(kind[event] == 2, event, base)
    x = (low[base] & 0x7ff) + before[event] - before[base] + offset
    t = unwrap_where(kind == 8, low, 12)[coarse] << 12 | np.where(fine > coarse, low[fine], 0)
    return t, x, low[y] & 0x7ff, low[base] >> 11, (coarse >= 0) & (y >= 0) & (base >= 0)


def latest(mask: np.ndarray) -> np.ndarray:
    """Find for each place the index of the last true one up to it, -1 where there is none."""
    return np.maximum.accumulate(np.where(mask, np.arange(len(mask)), -1))


def unwrap_where(mask: np.ndarray, values: np.ndarray, bits: int) -> np.ndarray:
    """Unwrap the counter that the values at some places are; the others pass."""
    values = values.copy()
    values[mask] = unwrap(values[mask], bits)
    return values


def read_header(path: Path, file: BinaryIO) -> dict[str, str]:
    """Read the lines ``% Key value`` at the start of a file as lower case keys and values.

    Raises:
        ValueError: There are none.
    """
    lines = read_lines(file, b'%', 'end')
    if not lines:
        raise ValueError(f'{path}: it has no header; Prophesee files begin with lines that start with %.')
    return {key.lower(): value.strip() for key, _, value in (line.partition(' ') for line in lines)}


def find_size(header: dict[str, str]) -> tuple[int, int] | None:
    """Find height and width in a header: ``Height``, ``Width``, ``geometry 640x480`` or ``format EVT3;height=...``."""
    stated = dict(re.findall(r'(height|width)=(\d+)', header.get('format', '')))
    width, _, height = header.get('geometry', '').partition('x')
    for found in (header, stated, {'height': height, 'width': width}):
        size = found.get('height', ''), found.get('width', '')
        if all(side.isdecimal() for side in size):
            return int(size[0]), int(size[1])
    return None
