"""Read a recording of an event camera, in whichever format it is."""

from pathlib import Path

import numpy as np

from spikemm.datasets.events.aedat import read_aedat
from spikemm.datasets.events.aedat4 import read_aedat4
from spikemm.datasets.events.atis import read_atis
from spikemm.datasets.events.named import read_hdf5, read_numpy
from spikemm.datasets.events.prophesee import read_dat, read_raw
from spikemm.datasets.events.recording import Columns, NeedsSetting, Recording
from spikemm.datasets.events.repair import clean
from spikemm.datasets.events.times import MICROSECONDS, WITHOUT_UNIT

SUFFIXES = ('.aedat', '.aedat4', '.bin', '.dat', '.h5', '.hdf5', '.npy', '.npz', '.raw')
"""The formats that :func:`read_events` knows."""

MAX_SIDE = 1 << 16  # columns and rows have 16 bits


def read_events(
    path: str | Path, *, size: tuple[int, int] | None = None, t_range: tuple[int, int] | None = None,
    outside: str = 'raise', time_unit: str | None = None,
) -> Recording:
    """Read a recording, or the part of it that lies in a range of time.

    The suffix tells the format, and the content must agree with it: AEDAT 2.0 and 3.1 (``.aedat``), AEDAT 4
    (``.aedat4``), N-MNIST and N-Caltech101 (``.bin``), Prophesee (``.dat``, and ``.raw`` as EVT 2.0 or 3.0), NumPy
    (``.npy``, ``.npz``) and HDF5 (``.h5``, ``.hdf5``). Of ``.dat`` and HDF5 files only the part in ``t_range`` is read
    where their time stamps are in order, which a process looks at once a file; of AEDAT 3.1 only the packets that it
    needs are decoded.

    Repaired and counted in the report: time stamps out of order (sorted; equal ones keep their order), those after an
    overflow of the counter of 32 bits in AEDAT 2.0 and ``.dat``, and, with ``outside='clip'``, pixels outside the
    sensor. Dropped and counted: events that the file marks as invalid and, with ``outside='drop'``, those outside the
    sensor. Counted only: equal time stamps, identical events, and events of other cameras than the first. Everything
    else that is wrong is an error.

    Args:
        path: The file.
        size: Height and width of the sensor, for files that do not say it; for those that do, it must be the same.
        t_range: Start and end in us; events with start <= t < end are kept, which may be none.
        outside: What becomes of events outside the sensor: 'raise', 'drop' or 'clip' (moved to the nearest pixel).
        time_unit: 's', 'ms', 'us' or 'ns', for NumPy and HDF5 files; None are us, and must be integers.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is of another format, damaged or empty, or an event in it cannot be right.
        NeedsSetting: A ``ValueError``, too: ``size`` or ``time_unit`` is missing or contradicts the file.
    """
    path = Path(path)
    check_arguments(path, t_range, outside, time_unit)
    if size is not None and not is_size(size):
        raise NeedsSetting(f'`size` must be (height, width), both positive and at most {MAX_SIDE}, but got {size!r}.')
    if not path.is_file():
        raise FileNotFoundError(f'{path.absolute()} is not a file.')
    if not path.stat().st_size:
        raise ValueError(f'{path}: the file is empty.')
    columns = read_columns(path, size, t_range, time_unit)
    if not np.size(columns.t) and not columns.partial:
        raise ValueError(f'{path}: the recording holds no event.')
    size = agree(path, columns.size, size)
    return clean(path, columns, size, outside=outside, t_range=t_range, time_unit=time_unit)


def read_columns(
    path: Path, size: tuple[int, int] | None, t_range: tuple[int, int] | None, time_unit: str | None,
) -> Columns:
    """Read a file with the reader of its suffix."""
    match path.suffix.lower():
        case '.aedat':
            return read_aedat(path, size, t_range)
        case '.aedat4':
            return read_aedat4(path)
        case '.bin':
            return read_atis(path)
        case '.dat':
            return read_dat(path, t_range)
        case '.raw':
            return read_raw(path)
        case '.npy' | '.npz':
            return read_numpy(path)
        case _:
            return read_hdf5(path, t_range, time_unit)


def check_arguments(path: Path, t_range: tuple[int, int] | None, outside: str, time_unit: str | None) -> None:
    """Refuse arguments of :func:`read_events` that have no meaning."""
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ValueError(f'{path}: a recording must end in one of {SUFFIXES}, but got {path.suffix!r}.')
    if t_range is not None and not (is_pair(t_range) and t_range[0] < t_range[1]):
        raise ValueError(f'`t_range` must be (start, end) in us with start < end, but got {t_range!r}.')
    if outside not in ('raise', 'drop', 'clip'):
        raise ValueError(f"`outside` must be 'raise', 'drop' or 'clip', but got {outside!r}.")
    if time_unit not in (None, *MICROSECONDS):
        raise ValueError(f'`time_unit` must be one of {tuple(MICROSECONDS)}, but got {time_unit!r}.')
    if time_unit not in (None, 'us') and suffix not in WITHOUT_UNIT:
        raise NeedsSetting(f'{path}: {suffix} files are in us, `time_unit` must be None, but got {time_unit!r}.')


def agree(path: Path, found: tuple[int, int] | None, given: tuple[int, int] | None) -> tuple[int, int]:
    """Return the size that the file says or the caller gives.

    The largest coordinates would not do: two recordings of one sensor would differ.

    Raises:
        NeedsSetting: Neither says it, or they contradict each other.
        ValueError: The file says what is no size.
    """
    if found is None and given is None:
        raise NeedsSetting(f'{path}: the file does not say how large the sensor is; give size=(height, width), in a '
                           'config `sensor_size` of the dataset.')
    if found is not None and not is_size(found):
        raise ValueError(f'{path}: the file says that the sensor has {tuple(found)} (height, width), which cannot be.')
    if None not in (found, given) and tuple(found) != tuple(given):
        raise NeedsSetting(f'{path}: `size` is {tuple(given)}, but the file says that the sensor has {tuple(found)} '
                           '(height, width).')
    return tuple(found or given)


def is_pair(value: object) -> bool:
    return isinstance(value, (tuple, list, np.ndarray)) and len(value) == 2


def is_size(value: object) -> bool:
    return is_pair(value) and all(isinstance(side, (int, np.integer)) and 0 < side <= MAX_SIDE for side in value)
