"""The ``.bin`` files of N-MNIST and N-Caltech101, recorded with an ATIS camera: five bytes an event."""

from pathlib import Path

import numpy as np

from spikemm.datasets.events.recording import Columns

OVERFLOW_ROW = 240  # a word with this row is no event but says that the counter of the time stamps overflowed
OVERFLOW_US = 1 << 13
MAX_T = 1 << 23
WORD = np.dtype({'names': ['x', 'y', 'rest'], 'formats': ['u1', 'u1', '>u4'], 'offsets': [0, 1, 1], 'itemsize': 5})
"""An event; the last three bytes are read as four, together with the row before them."""


def read_atis(path: Path) -> Columns:
    """Read events of five bytes: column, row, then polarity (1 bit) and time in us (23 bits), highest byte first.

    A word whose row is 240 adds 2^13 us to all time stamps behind it, as in the reader of the data's author
    (https://github.com/gorchard/event-Python).

    Args:
        path: The file.

    Raises:
        ValueError: The file ends inside an event.
    """
    data = np.fromfile(path, np.uint8)
    if len(data) % 5:
        raise ValueError(f'{path}: it ends inside an event of 5 bytes, at byte {len(data)}.')
    words = data.view(WORD)
    x, y = words['x'].copy(), words['y'].copy()  # one after the other in memory: they are gone through several times
    rest = words['rest'].astype(np.uint32)
    t, p = rest & MAX_T - 1, rest >> 23 & 1
    overflow = y == OVERFLOW_ROW
    if overflow.any():
        t = t + np.cumsum(overflow) * OVERFLOW_US
        t, x, y, p = (column[~overflow] for column in (t, x, y, p))
    return Columns(t, x, y, p)


def write_atis(path: str | Path, events: np.ndarray) -> None:
    """Write events as N-MNIST has them, the inverse of reading a ``.bin`` file.

    Args:
        path: The file, ending in ``.bin``.
        events: Array of dtype ``EVENT_DTYPE``; time stamps below 2^23 us (8.4 s), columns and rows below 256.

    Raises:
        ValueError: There is no event, the format cannot hold one of them, or ``path`` does not end in ``.bin``.
    """
    path = Path(path)
    if path.suffix != '.bin':
        raise ValueError(f"`path` must end in '.bin', but got {str(path)!r}.")
    if not len(events):
        raise ValueError('`events` must hold an event, but got none: an empty recording cannot be read back.')
    t, x, y = (events[name].astype(np.int64) for name in 'txy')
    fits = (t >= 0) & (t < MAX_T) & (x < 256) & (y < 256) & (y != OVERFLOW_ROW) & (events['p'] <= 1)
    if not fits.all():
        raise ValueError(f'`events` must have 0 <= t < {MAX_T} us, x and y below 256, y not {OVERFLOW_ROW} and p 0 or '
                         f'1, but got (t, x, y, p) = {events[fits.argmin()]}.')
    words = np.stack([x, y, events['p'].astype(np.int64) << 7 | t >> 16, t >> 8 & 255, t & 255], axis=1)
    words.astype(np.uint8).tofile(path)
