"""The one place where what any format holds becomes an event array: converted, checked, sorted and counted."""

from pathlib import Path

import numpy as np

from spikemm.datasets.events.arrays import make_events
from spikemm.datasets.events.recording import Columns, Recording, Report
from spikemm.datasets.events.times import check_times, to_microseconds


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
    if not len(t) and not columns.partial:
        raise ValueError(f'{path}: the recording holds no event.')
    check_times(path, t, time_unit, columns.first)
    t = to_microseconds(t, time_unit or 'us')
    x, y = (to_whole(path, name, column, columns.first) for name, column in (('x', x), ('y', y)))
    p = to_polarity(path, p)
    index = np.arange(len(t))
    if t_range is not None:
        index = np.flatnonzero((t >= t_range[0]) & (t < t_range[1]))
        t, x, y, p = (column[index] for column in (t, x, y, p))
    report = Report(len(t) + sum(columns.dropped.values()), dropped=dict(columns.dropped), facts=dict(columns.facts))
    kept = place(path, (t, x, y, p), index + columns.first, size, outside, report)
    if not len(kept[0]) and t_range is None:
        raise ValueError(f'{path}: all {report.read} events are outside the sensor of {size[1]} x {size[0]} pixels.')
    events = sort(make_events(*kept), report)
    count_repetitions(events, report)
    return Recording(events, size, report)


def to_polarity(path: Path, p: np.ndarray) -> np.ndarray:
    """Convert polarities, 0 and 1, -1 and 1 or booleans, to 0 (OFF) and 1 (ON).

    Raises:
        ValueError: There are others, or 0 next to -1.
    """
    on = p == 1
    if not any((on | (p == off)).all() for off in (0, -1)):
        found = ', '.join(str(value) for value in np.unique(p)[:6])
        raise ValueError(f'{path}: polarities must be 0 and 1, or -1 and 1, but there are {found}.')
    return on.astype(np.uint8)


def to_whole(path: Path, name: str, column: np.ndarray, first: int) -> np.ndarray:
    """Convert the coordinates of a name to integers; ``first`` is the index in the file of the first of them.

    Raises:
        ValueError: They are no numbers, or one is not whole.
    """
    if column.dtype.kind in 'iu':
        return column.astype(np.int64)
    if column.dtype.kind != 'f':
        raise ValueError(f'{path}: coordinates must be numbers, but {name} has dtype {column.dtype}.')
    whole = np.isfinite(column) & (column == np.floor(column))
    if not whole.all():
        index = whole.argmin()
        raise ValueError(f'{path}: coordinates must be whole pixels, but event {first + index} has {name} = '
                         f'{column[index]}.')
    return column.astype(np.int64)


def place(
    path: Path, columns: tuple[np.ndarray, ...], index: np.ndarray, size: tuple[int, int], outside: str,
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
    misplaced = (x < 0) | (x >= width) | (y < 0) | (y >= height)
    count = int(misplaced.sum())
    if not count:
        return columns
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


def sort(events: np.ndarray, report: Report) -> np.ndarray:
    """Sort events by time, keeping the order of the file among equal time stamps, and count those out of order."""
    late = int((events['t'][1:] < events['t'][:-1]).sum())
    if not late:
        return events
    report.repaired['earlier than the event before them, sorted'] = late
    return events[np.argsort(events['t'], kind='stable')]


def count_repetitions(events: np.ndarray, report: Report) -> None:
    """Count events with the time stamp of the one before them, and those with the same pixel and polarity as well."""
    again = events['t'][1:] == events['t'][:-1]
    repeated = int(again.sum())
    if not repeated:
        return
    report.facts['with the time stamp of another'] = repeated
    several = np.append(again, False) | np.append(False, again)
    group = np.cumsum(np.append(True, ~again)[several])
    x, y, p = (events[name][several].astype(np.int64) for name in 'xyp')
    keys = np.sort(group << 33 | x << 17 | y << 1 | p)
    identical = int((keys[1:] == keys[:-1]).sum())
    if identical:
        report.facts['identical to another'] = identical
