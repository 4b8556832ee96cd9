"""Events in general containers, NumPy's and HDF5: found by the names of their columns."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from spikemm.datasets.events.recording import Columns
from spikemm.datasets.events.times import check_times, find_part, to_microseconds

if TYPE_CHECKING:
    import h5py

ALIASES = {
    't': ('t', 'ts', 'timestamp', 'timestamps', 'time'),
    'x': ('x',),
    'y': ('y',),
    'p': ('p', 'pol', 'polarity', 'polarities', 'on'),
}
"""The names that published data sets give the columns."""

GROUPS = ('', 'events', 'CD/events', 'prophesee/left')
"""Where they are in an HDF5 file: at the top, in DSEC, in Prophesee's files and in M3ED."""

DAMAGED_HDF5 = (OSError, KeyError, RuntimeError, TypeError, UnicodeDecodeError)
"""What h5py raises for a damaged file, and the first for a compression that is not installed."""


def read_numpy(path: Path) -> Columns:
    """Read an ``.npz`` with one array a column, or an ``.npy`` or ``.npz`` with one structured array.

    Args:
        path: The file.

    Raises:
        ValueError: NumPy cannot read it without running code from it, or the columns are not named.
    """
    try:
        data = np.load(path, allow_pickle=False)
        if not isinstance(data, np.ndarray):
            with data:
                data = {name: data[name] for name in data.files}
    except Exception as error:  # of NumPy, zip, zlib and Python's tokenizer, whichever meets the damage
        raise ValueError(f'{path}: NumPy cannot read it ({error}).') from error
    if isinstance(data, dict) and len(data) == 1:
        data = next(iter(data.values()))
    names = data.keys() if isinstance(data, dict) else data.dtype.names
    if names is None:
        raise refuse_unnamed(path, data.shape)
    columns = find_columns(names)
    if columns is None:
        raise ValueError(f'{path}: a recording must have the columns t, x, y and p, but there are {sorted(names)}.')
    return Columns(*(data[columns[key]] for key in 'txyp'))


def read_hdf5(path: Path, t_range: tuple[int, int] | None, time_unit: str | None) -> Columns:
    """Read the columns of an HDF5 file, or the part of them in a range of time.

    They may be datasets of their own or one structured dataset, in one of ``GROUPS``. An offset of the time that stands
    elsewhere in the file, as in DSEC, is not added.

    Args:
        path: The file.
        t_range: Start and end in us, or None.
        time_unit: Unit of the time stamps; None stands for whole us.

    Raises:
        ValueError: h5py cannot read it, or the columns are not there or not named.
    """
    import h5py  # here and not above: only those who have such files need it

    try:
        with h5py.File(path) as file:
            t, x, y, p = find_datasets(path, file)
            if not len(t):
                raise ValueError(f'{path}: the recording holds no event.')
            if time_unit is None and t[:1].dtype.kind == 'f':
                check_times(path, t[:], time_unit)  # refuses them; with a unit, the bisection reads a few only
            part = find_part(path, t, t_range, lambda value: int(to_microseconds(value, time_unit or 'us')))
            return Columns(t[part], x[part], y[part], p[part], first=part.start, partial=t_range is not None)
    except DAMAGED_HDF5 as error:
        hint = ' Try `pip install hdf5plugin`, and import it first.' if 'filter' in str(error) else ''
        raise ValueError(f'{path}: h5py cannot read it ({error}).{hint}') from error


def find_datasets(path: Path, file: 'h5py.File') -> list:
    """Find t, x, y and p in an open HDF5 file, each an object with a length that slices read from."""
    for place in filter(lambda place: not place or place in file, GROUPS):
        group = file[place] if place else file
        if isinstance(group, Mapping):
            columns = find_columns(group)
            if columns:
                return check_lengths(path, [group[columns[key]] for key in 'txyp'])
        elif group.dtype.names is None:
            raise refuse_unnamed(path, group.shape)
        elif columns := find_columns(group.dtype.names):
            check_lengths(path, [group])
            return [group.fields(columns[key]) for key in 'txyp']
    found = []
    file.visit(found.append)
    raise ValueError(f"{path}: t, x, y and p must be at the top or in one of {GROUPS[1:]}, but it has {found}.")


def check_lengths(path: Path, columns: list) -> list:
    """Return the columns of an HDF5 file if they are datasets of one length.

    Raises:
        ValueError: They are groups, single values or tables, or their lengths differ.
    """
    shapes = {getattr(column, 'shape', None) for column in columns}
    if len(shapes) > 1 or len(next(iter(shapes)) or ()) != 1:
        raise ValueError(f'{path}: t, x, y and p must have one length, but it has {columns}.')
    return columns


def find_columns(names: Iterable[str]) -> dict[str, str] | None:
    """Map t, x, y and p to the names that a file has for them, or return None if one of them is not there."""
    lower = {name.lower(): name for name in names}
    found = {key: [lower[alias] for alias in aliases if alias in lower] for key, aliases in ALIASES.items()}
    return {key: hits[0] for key, hits in found.items()} if all(found.values()) else None


def refuse_unnamed(path: Path, shape: tuple[int, ...]) -> ValueError:
    """Make the error for an array without names: published ones have [t, x, y, p] and [x, y, t, p] alike."""
    return ValueError(f'{path}: an array of shape {shape} does not say which column is which; save it with the columns '
                      't, x, y and p by name.')
