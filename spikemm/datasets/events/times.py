"""Time stamps: their unit, overflows of their counter, and the part of a recording that lies in a range of time."""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from spikemm.datasets.events.recording import NeedsSetting

MICROSECONDS = {'s': 1_000_000, 'ms': 1_000, 'us': 1, 'ns': 0.001}
"""What one unit is in us."""

WITHOUT_UNIT = ('.h5', '.hdf5', '.npy', '.npz')  # the other formats are in us by definition
MAX_US = 10**17  # time of day in ns is above it until 1973, in us below it until 5138
PART = 1 << 20  # time stamps that are looked at in one piece
_IN_ORDER: dict[tuple[str, int, int, int], bool] = {}  # by path, inode, size and time of the last change


def to_microseconds(t: np.ndarray, unit: str) -> np.ndarray:
    """Convert time stamps to whole us; of ns the rest is dropped, of other fractions the nearest us is taken.

    Args:
        t: Time stamps, integer or floating point.
        unit: 's', 'ms', 'us' or 'ns'.

    Returns:
        Integers; of integers in us they are the same array.
    """
    if t.dtype.kind == 'f':
        return np.rint(t.astype(np.float64) * MICROSECONDS[unit]).astype(np.int64)
    if unit == 'us':
        return t
    return t // 1000 if unit == 'ns' else t.astype(np.int64) * MICROSECONDS[unit]


def check_times(path: Path, t: np.ndarray, unit: str | None, first: int = 0) -> None:
    """Refuse time stamps that cannot be told in us.

    Args:
        path: The file, for the message.
        t: Time stamps as they stand in the file, shape ``[N]``.
        unit: Their unit; None stands for whole us.
        first: Index in the file of the first of them.

    Raises:
        ValueError: They are neither integers nor floating point, or one is negative, not finite or too large.
        NeedsSetting: They are floating point and have no unit, or all are too large to be us.
    """
    if t.dtype.kind not in 'iuf':
        raise ValueError(f'{path}: time stamps must be numbers, but got dtype {t.dtype}.')
    stated = unit is not None or t.dtype.kind != 'f'
    limit = MAX_US / MICROSECONDS[unit or 'us'] if stated else np.inf
    if len(t) and not (t.min() >= 0 and t.max() < limit):  # so written, it is true of NaN as well
        index = (~((t >= 0) & (t < limit))).argmax()
        error = NeedsSetting if t.min() >= limit else ValueError
        unknown = unit is None and path.suffix.lower() in WITHOUT_UNIT
        hint = '; state `time_unit` if they are not in us' if unknown else ''
        raise error(f'{path}: time stamps must be finite, not negative and below 10^17 us (the year 5138), but event '
                    f'{first + index} has t = {t[index]}{hint}.')
    if t.dtype.kind == 'f' and unit is None and len(t):
        low, high = t.min(), t.max()
        likely = next((name for name, span in (('s', 1e3), ('ms', 1e6), ('us', 1e9)) if high - low < span), 'ns')
        raise NeedsSetting(
            f'{path}: the time stamps are floating point, {low:g} to {high:g}, and do not say their unit; give '
            f'time_unit={likely!r} (likely by that range) or another of {tuple(MICROSECONDS)}.')


def unwrap(counter: np.ndarray, bits: int) -> np.ndarray:
    """Add what a counter lost by overflowing, which is a fall by more than half its range.

    A rise by as much takes one overflow back, for near it the values may be out of order. Smaller falls pass.

    Args:
        counter: Values below ``2 ** bits``, shape ``[N]``.
        bits: Bits of the counter.
    """
    half = 1 << bits - 1
    if not len(counter) or int(counter.max()) - int(counter.min()) <= half:
        return counter
    counter = counter.astype(np.int64)
    step = np.diff(counter, prepend=counter[:1])
    turns = np.cumsum((step < -half).astype(np.int64) - (step > half))
    turns -= np.minimum.accumulate(np.minimum(turns, 0))  # before the first overflow there is none to take back
    return counter + (turns << bits)


def find_part(
    path: Path, t: Sequence, t_range: tuple[int, int] | None, key: Callable[[np.number], int] = int,
) -> slice:
    """Find the events of a range of time by bisection, which reads a few time stamps of a file only.

    Bisection would lose events of a file whose time stamps are out of order: such a file is a part as a whole.

    Args:
        path: The file.
        t: Its time stamps, an array or what is indexed like one.
        t_range: Start and end in us; the end is left out. None is everything.
        key: Turns one time stamp into us.
    """
    if t_range is None or not is_in_order(path, t):
        return slice(0, len(t))
    return slice(*(bisect_left(t, edge, key=key) for edge in t_range))


def is_in_order(path: Path, t: Sequence) -> bool:
    """Tell whether no time stamp of a file is earlier than the one before it, looking once a file and process."""
    stat = path.stat()
    file = str(path.absolute()), stat.st_ino, stat.st_size, stat.st_mtime_ns
    if file not in _IN_ORDER:
        parts = (t[start:start + PART + 1] for start in range(0, len(t), PART))  # which overlap by one
        _IN_ORDER[file] = all((part[1:] >= part[:-1]).all() for part in parts)
    return _IN_ORDER[file]
