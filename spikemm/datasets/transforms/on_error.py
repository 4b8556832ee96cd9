"""What a transform does with a file that cannot be used: an error, or skipped and counted, as the config says."""

import logging
import multiprocessing
from functools import cache
from pathlib import Path
from typing import NamedTuple

from mmengine.logging import print_log
from PIL import UnidentifiedImageError


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


class EventCounts(NamedTuple):
    """Events of the recordings that were loaded, again each time."""

    read: SharedCount
    repaired: SharedCount
    dropped: SharedCount


@cache
def skipped_images() -> SharedCount:
    """The samples that all loading transforms of this process and of its data loader workers have skipped."""
    return SharedCount()  # made late: the start method of the workers is fixed by then


@cache
def loaded_events() -> EventCounts:
    """The events that all :class:`LoadEvents` of this process and of its data loader workers have loaded."""
    return EventCounts(SharedCount(), SharedCount(), SharedCount())


def explain(path: str, error: Exception) -> str:
    """Say in words why a file could not be read; the decoders' own messages seldom do."""
    if Path(path).is_file() and not Path(path).stat().st_size:
        return 'the file is empty'
    if isinstance(error, AssertionError | UnidentifiedImageError):  # of mmcv and pillow: the decoder gave nothing
        return 'the file is cut off or not an image'
    return str(error) or type(error).__name__


class SkipOrRaise:
    """Mixin for a transform that loads a file; see :class:`LoadImage` for what 'raise' and 'skip' mean.

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
        self._warned: set[str] = set()

    def refuse(self, kind: str, path: str, reason: str, error: Exception | None = None) -> None:
        """Raise, or count and warn, once a file and process.

        Args:
            kind: What the file is: 'image', 'mask' or 'recording'.
            path: The file.
            reason: Why it cannot be used.
            error: The error that says so, if any.

        Raises:
            ValueError: ``on_error`` is 'raise'.
        """
        if self.on_error == 'raise':
            raise ValueError(f'Cannot use the {kind} {path} ({reason}). Repair or remove it, or skip such samples in '
                             f"training with dict(type='spikemm.{type(self).__name__}', on_error='skip').") from error
        self.skipped.add()
        self.warn_once(path, f'Skipped the {kind} {path}, which cannot be used ({reason}).')

    def warn_once(self, path: str, message: str) -> None:
        """Log a warning about a file, once a process, not once an epoch."""
        if path not in self._warned:
            self._warned.add(path)
            print_log(message, 'current', logging.WARNING)

    def __repr__(self) -> str:
        return f'{super().__repr__()[:-1]}, on_error={self.on_error!r})'
