"""The one place where what any format holds becomes an event array: converted, checked, sorted and counted.

A data loader runs it on every recording, so that what is right passes with a look at minima and maxima, in the types
that the file has, and one compiled loop.
"""

from collections.abc import Sequence
from pathlib import Path

import numba
import numpy as np

from spikemm.datasets.events.arrays import EVENT_DTYPE
from spikemm.datasets.events.recording import Columns, Recording, Report
from spikemm.datasets.events.times import check_times, to_microseconds, unwrap

_16, _32 = np.uint64(16), np.uint64(32)


def clean(
    path: Path, columns: Columns, size: tuple[int, int], *, outside: str, t_range: tuple[int, int] | None,
    time_unit: str | None,
) -> Recording:
    """Make a recording of what a file holds; :func:`read_events` says what is repaired and what is refused.

    Args:
        path: The file, for the messages.
        columns: What the reader of its format found.
        size: Height and width of the sensor.
        outside: 'raise', 'drop' or 'clip'.
        t_range: Start and end in us, or None.
        time_unit: Unit of the time stamps; None stands for whole us.
    """
    t, x, y, p = (np.asarray(column) for column in columns[:4])
    if t.ndim != 1 or not t.shape == x.shape == y.shape == p.shape:
        raise ValueError(f'{path}: t, x, y and p must have one length, but have the shapes {t.shape}, {x.shape}, '
                         f'{y.shape} and {p.shape}.')
    check_times(path, t, time_unit, columns.first)
    t = to_microseconds(t, time_unit or 'us')
    if columns.t_bits:
        t = unwrap(t, columns.t_bits)
    x, y = (to_whole(path, name, column, columns.first) for name, column in (('x', x), ('y', y)))
    p = to_polarity(path, p, columns.first)
    index = range(columns.first, columns.first + len(t))
    if t_range is not None:
        inside = (t >= t_range[0]) & (t < t_range[1])
        if not inside.all():
            index = np.flatnonzero(inside) + columns.first
            t, x, y, p = (column[inside] for column in (t, x, y, p))
    report = Report(len(t) + sum(columns.dropped.values()), dropped=dict(columns.dropped), facts=dict(columns.facts))
    overflowed = int((t >= 1 << columns.t_bits).sum()) if columns.t_bits else 0
    if overflowed:
        report.repaired['after an overflow of the counter of the time stamps'] = overflowed
    kept = place(path, (t, x, y, p), index, size, outside, report)
    if not len(kept[0]) and t_range is None:
        raise ValueError(f'{path}: all {report.read} events are outside the sensor of {size[1]} x {size[0]} pixels.')
    return Recording(assemble(*kept, report), size, report)


def to_polarity(path: Path, p: np.ndarray, first: int) -> np.ndarray:
    """Convert polarities, 0 and 1, -1 and 1 or booleans, to 0 (OFF) and 1 (ON).

    Args:
        path: The file, for the message.
        p: Polarities, shape ``[N]``.
        first: Index in the file of the first of them.

    Raises:
        ValueError: They are no numbers, there are others, or 0 next to -1.
    """
    if p.dtype.kind not in 'biuf':
        raise ValueError(f'{path}: polarities must be numbers, but got dtype {p.dtype}.')
    if p.dtype.kind == 'b' or not len(p) or (p.dtype.kind in 'iu' and p.min() >= 0 and p.max() <= 1):
        return p.astype(np.uint8, copy=False)
    on = p == 1
    if not any((on | (p == off)).all() for off in (0, -1)):
        found = ', '.join(str(value) for value in np.unique(p)[:6])
        bad = ~on & (p != 0) & (p != -1)
        index = (bad if bad.any() else p == 0).argmax()
        raise ValueError(f'{path}: polarities must be 0 and 1, or -1 and 1, but there are {found}; event '
                         f'{first + index} has p = {p[index]}.')
    return on.astype(np.uint8)


def to_whole(path: Path, name: str, column: np.ndarray, first: int) -> np.ndarray:
    """Convert the coordinates of a name to integers; ``first`` is the index in the file of the first of them.

    Raises:
        ValueError: They are no numbers, or one is not whole.
    """
    if column.dtype.kind in 'iu':
        return column
    if column.dtype.kind != 'f':
        raise ValueError(f'{path}: coordinates must be numbers, but {name} has dtype {column.dtype}.')
    whole = (np.abs(column) < 2**31) & (column == np.floor(column))
    if not whole.all():
        index = whole.argmin()
        raise ValueError(f'{path}: coordinates must be whole pixels, but event {first + index} has {name} = '
                         f'{column[index]}.')
    return column.astype(np.int64)


def place(
    path: Path, columns: tuple[np.ndarray, ...], index: Sequence[int], size: tuple[int, int], outside: str,
    report: Report,
) -> tuple[np.ndarray, ...]:
    """Refuse, drop or move the events outside the sensor, and count them.

    Args:
        path: The file, for the message.
        columns: t, x, y and p, shape ``[N]`` each.
        index: Index in the file of each event, shape ``[N]``.
        size: Height and width of the sensor.
        outside: 'raise', 'drop' or 'clip'.
        report: Where the events are counted.
    """
    t, x, y, p = columns
    height, width = size
    if not len(x) or (x.min() >= 0 and x.max() < width and y.min() >= 0 and y.max() < height):
        return columns
    misplaced = (x < 0) | (x >= width) | (y < 0) | (y >= height)
    count = int(misplaced.sum())
    where = f'outside the sensor of {width} x {height} pixels'
    if outside == 'drop':
        report.dropped[where] = count
        return tuple(column[~misplaced] for column in columns)
    if outside == 'clip':
        report.repaired[where] = count
        return t, x.clip(0, width - 1), y.clip(0, height - 1), p
    first = misplaced.argmax()
    raise ValueError(f'{path}: event {index[first]} (t = {t[first]} us) is at x = {x[first]}, y = {y[first]}, {where}, '
                     f"and so are {count} of {len(t)} events; give the right `size`, or outside='drop' or 'clip'.")


def assemble(t: np.ndarray, x: np.ndarray, y: np.ndarray, p: np.ndarray, report: Report) -> np.ndarray:
    """Build an event array sorted by time, and count what was out of order and what is there several times.

    Args:
        t: Time stamps in us, integers; equal ones keep their order, shape ``[N]``.
        x: Columns, shape ``[N]``.
        y: Rows, shape ``[N]``.
        p: Polarities, 0 or 1, shape ``[N]``.
        report: Where the events are counted.
    """
    columns = [np.ascontiguousarray(column, EVENT_DTYPE[i]) for i, column in enumerate((t, x, y, p))]
    shape = (2, int(y.max()) + 1, int(x.max()) + 1) if len(t) else (0, 0, 0)
    events = np.empty(len(t), EVENT_DTYPE)
    words = events.view(np.uint64).reshape(-1, 2)
    late, again, identical = _fill(*columns, words, np.zeros(shape, np.uint32))
    if late:
        report.repaired['earlier than the event before them, sorted'] = late
        order = np.argsort(columns[0], kind='stable')
        _, again, identical = _fill(*(column[order] for column in columns), words, np.zeros(shape, np.uint32))
    if again:
        report.facts['with the time stamp of another'] = again
    if identical:
        report.facts['identical to another'] = identical
    return events


@numba.njit(nogil=True, error_model='numpy', cache=True)
def _fill(t, x, y, p, words, latest):
    """Write events of 16 bytes; count the late ones, those with the time of the one before, and identical ones.

    ``latest``, by polarity, row and column, holds the number of the time stamp at which there was an event. It has
    32 bits so that it stays in the second-level cache, which more than 2**32 time stamps would overflow.
    """
    late, identical = 0, 0
    number, before = np.uint32(0), np.int64(-1)
    for i in range(t.size):
        late += t[i] < before
        number += np.uint32(t[i] != before)
        before = t[i]
        words[i, 0] = np.uint64(t[i])
        words[i, 1] = np.uint64(x[i]) | np.uint64(y[i]) << _16 | np.uint64(p[i]) << _32
        identical += latest[p[i], y[i], x[i]] == number
        latest[p[i], y[i], x[i]] = number
    return late, t.size - np.int64(number), identical
