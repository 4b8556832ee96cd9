"""What a transform does with a file that cannot be used: an error, or skipped and counted, as the config says."""

import logging
import multiprocessing
import os
import zlib
from functools import cache
from pathlib import Path
from typing import NamedTuple

from mmengine.logging import print_log
from PIL import UnidentifiedImageError

NAMED = 10  # files of each kind of warning; the rest is in the counts
MAX_IN_A_ROW = 100


class SharedCount:
    """A count that every process started after it adds to; a copy is the same count."""

    def __init__(self) -> None:
        self._value = multiprocessing.Value('q', 0)

    def __deepcopy__(self, memo: dict) -> 'SharedCount':
        return self

    @property
    def value(self) -> int:
        return self._value.value

    def add(self, number: int = 1) -> None:
        with self._value.get_lock():
            self._value.value += number


class FileLog:
    """Log what is wrong with files, each once: a warning for the first ten in all processes, DEBUG for the others.

    Without an end, data of which each file is repaired would fill the log. Like :class:`SharedCount` it is shared by
    the processes started after it, so that workers that start anew each epoch do not warn again.
    """

    def __init__(self) -> None:
        self._named = multiprocessing.Array('q', NAMED)
        self._seen: set[int] = set()  # by this process

    def __deepcopy__(self, memo: dict) -> 'FileLog':
        return self

    def __call__(self, path: str, message: str, level: int = logging.WARNING) -> None:
        """Log a message about a file; ``level`` is that of the first ten."""
        key = zlib.crc32(os.fsencode(path)) + 1  # hash() differs from process to process; 0 is a free place
        if key in self._seen:
            return
        self._seen.add(key)
        places_left = self._claim(key) if level > logging.DEBUG else 0
        if places_left == 1:
            message += f' More files follow at the log level DEBUG only: these were {NAMED} of this kind.'
        if places_left is not None:
            print_log(message, 'current', level if places_left else logging.DEBUG)

    def _claim(self, key: int) -> int | None:
        """Return how many places were free when the file got one, or None if another process has named it."""
        with self._named.get_lock():
            named = list(self._named)
            if key in named:
                return None
            if 0 in named:
                self._named[named.index(0)] = key
            return named.count(0)


class EventCounts(NamedTuple):
    """Events of the recordings that were loaded, again each time; ``cut`` are those behind the last frame of a clip."""

    read: SharedCount
    repaired: SharedCount
    dropped: SharedCount
    cut: SharedCount


@cache
def skipped_images() -> SharedCount:
    """The samples that all loading transforms of this process and of its data loader workers have skipped."""
    return SharedCount()  # made late: the start method of the workers is fixed by then


@cache
def loaded_events() -> EventCounts:
    """The events that all :class:`LoadEvents` of this process and of its data loader workers have loaded."""
    return EventCounts(*(SharedCount() for _ in EventCounts._fields))


@cache
def file_log(kind: str) -> FileLog:
    """The log of one kind of fault, of this process and of its data loader workers."""
    return FileLog()


def explain(path: str, error: Exception) -> str:
    """Say in words why a file could not be read; the decoders' own messages seldom do."""
    if Path(path).is_file() and not Path(path).stat().st_size:
        return 'the file is empty'
    if isinstance(error, AssertionError | UnidentifiedImageError):  # of mmcv and pillow: the decoder gave nothing
        return 'the file is cut off or not an image'
    return str(error) or type(error).__name__


class SkipOrRaise:
    """Mixin for a transform that loads a file; see :class:`LoadImage` for what 'raise' and 'skip' mean.

    It stands before ``BaseTransform`` among the bases. When no file of many in a row can be used, 'skip' raises, too:
    then it is no file that is wrong but a path or a setting.

    Args:
        on_error: 'raise' or 'skip'.
        **kwargs: Arguments of the transform.
    """

    def __init__(self, *, on_error: str = 'raise', **kwargs) -> None:
        if on_error not in ('raise', 'skip'):
            raise ValueError(f"`on_error` must be 'raise' or 'skip', but got {on_error!r}.")
        super().__init__(**kwargs)
        self.on_error = on_error
        self.skipped = skipped_images() if on_error == 'skip' else None
        self.log_skipped = file_log('skipped') if on_error == 'skip' else None
        self._in_a_row = 0

    def __call__(self, results: dict) -> dict | None:
        found = super().__call__(results)
        if found is not None:
            self._in_a_row = 0
        return found

    def refuse(self, kind: str, path: str, reason: str, error: Exception | None = None) -> None:
        """Raise, or count and log.

        Args:
            kind: What the file is: 'image', 'mask' or 'recording'.
            path: The file.
            reason: Why it cannot be used.
            error: The error that says so, if any.

        Raises:
            ValueError: ``on_error`` is 'raise', or this process could use none of the last files.
        """
        if self.on_error == 'raise':
            raise ValueError(f'Cannot use the {kind} {path} ({reason}). Repair or remove it, or skip such samples in '
                             f"training with dict(type='spikemm.{type(self).__name__}', on_error='skip').") from error
        self.skipped.add()
        self.log_skipped(path, f'Skipped the {kind} {path}, which cannot be used ({reason}).')
        self._in_a_row += 1
        if self._in_a_row >= MAX_IN_A_ROW:
            raise ValueError(f'None of {MAX_IN_A_ROW} samples in a row can be used; a path or a setting must be wrong. '
                             f'The last is the {kind} {path} ({reason}).') from error

    def __repr__(self) -> str:
        return f'{super().__repr__()[:-1]}, on_error={self.on_error!r})'
