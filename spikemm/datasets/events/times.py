"""Time stamps: their unit, and the part of a sorted recording that lies in a range of time."""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

MICROSECONDS = {'s': 1_000_000, 'ms': 1_000, 'us': 1, 'ns': 0.001}
"""What one unit is in us."""


def to_microseconds(t: np.ndarray, unit: str) -> np.ndarray:
    """Convert time stamps to whole us; of ns the rest is dropped, of other fractions the nearest us is taken.

    Args:
        t: Time stamps, integer or floating point.
        unit: 's', 'ms', 'us' or 'ns'.
    """
    if t.dtype.kind == 'f':
        return np.rint(t.astype(np.float64) * MICROSECONDS[unit]).astype(np.int64)
    return t.astype(np.int64) // 1000 if unit == 'ns' else t.astype(np.int64) * MICROSECONDS[unit]


def check_times(path: Path, t: np.ndarray, unit: str | None, first: int = 0) -> None:
    """Refuse time stamps that cannot be told in us.

    Args:
        path: The file, for the message.
        t: Time stamps as they stand in the file, shape ``[N]``.
        unit: Their unit; None stands for whole us.
        first: Index in the file of the first of them.

    Raises:
        ValueError: They are neither integers nor floating point, one is negative, not finite or too large, or they are
            floating point and have no unit.
    """
    if t.dtype.kind not in 'iuf':
        raise ValueError(f'{path}: time stamps must be numbers, but got dtype {t.dtype}.')
    with np.errstate(invalid='ignore'):
        bad = ~((t >= 0) & (t < 2 ** 63 / MICROSECONDS[unit or 'us']) & (t < 2 ** 63))
    if bad.any():
        index = bad.argmax()
        raise ValueError(f'{path}: time stamps must be finite, not negative and below 2^63 us, but event '
                         f'{first + index} has t = {t[index]}.')
    if t.dtype.kind == 'f' and unit is None and len(t):
        low, high = t.min(), t.max()
        likely = next((name for name, span in (('s', 1e3), ('ms', 1e6), ('us', 1e9)) if high - low < span), 'ns')
        raise ValueError(f'{path}: the time stamps are floating point, {low:g} to {high:g}, and do not say their unit; '
                         f'give time_unit={likely!r} (likely by that range) or another of {tuple(MICROSECONDS)}.')


def find_part(t: Sequence, t_range: tuple[int, int] | None, key: Callable[[np.number], int] = int) -> slice:
    """Find the events of a range of time by bisection, which reads a few time stamps of a file only.

    Args:
        t: Time stamps in order, an array or what is indexed like one.
        t_range: Start and end in us; the end is left out. None is everything.
        key: Turns one time stamp into us.
    """
    if t_range is None:
        return slice(0, len(t))
    return slice(*(bisect_left(t, edge, key=key) for edge in t_range))
