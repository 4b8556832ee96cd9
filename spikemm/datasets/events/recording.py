"""What reading a recording gives: the events, the size of the sensor, and what had to be repaired."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np


class NeedsSetting(ValueError):
    """A recording cannot be read with these arguments, though nothing is wrong with it: no reason to skip it."""


@dataclass
class Report:
    """What was found in a recording; true when something was repaired or dropped, one line as text.

    Args:
        read: Events in the file, or in the part of it that ``t_range`` asked for.
        repaired: Events that were changed, by what was wrong with them.
        dropped: Events that were left out, by what was wrong with them.
        facts: What is unusual and was left as it is, by kind.
    """

    read: int
    repaired: dict[str, int] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)
    facts: dict[str, int] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.repaired or self.dropped)

    def __str__(self) -> str:
        groups = {'repaired': self.repaired, 'dropped': self.dropped, 'found': self.facts}
        parts = [f'{name} {count} ({reason})' for name, group in groups.items() for reason, count in group.items()]
        return '; '.join([f'{self.read} events read', *parts])


class Recording(NamedTuple):
    """A recording in memory.

    Args:
        events: Array of dtype ``EVENT_DTYPE``, sorted by time.
        size: Height and width of the sensor.
        report: What was repaired, dropped or noticed.
    """

    events: np.ndarray
    size: tuple[int, int]
    report: Report


class Columns(NamedTuple):
    """What the reader of one format hands on: the events as they stand in the file, neither checked nor sorted.

    Args:
        t: Time stamps, shape ``[N]``.
        x: Columns, shape ``[N]``.
        y: Rows, shape ``[N]``.
        p: Polarities, shape ``[N]``.
        size: Height and width of the sensor, where the file or the format says it.
        first: Index in the file of the first event handed on.
        partial: Whether only the events in ``t_range`` were read; the file may then hold others.
        dropped: Events that the file itself marks as unusable, by reason.
        facts: What else the file holds, by kind.
        t_bits: Bits of the counter of the time stamps, where nothing but a fall tells that it overflowed; else 0.
    """

    t: np.ndarray
    x: np.ndarray
    y: np.ndarray
    p: np.ndarray
    size: tuple[int, int] | None = None
    first: int = 0
    partial: bool = False
    dropped: dict[str, int] = {}
    facts: dict[str, int] = {}
    t_bits: int = 0
