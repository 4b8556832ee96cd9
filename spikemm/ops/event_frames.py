"""Frames of an event-camera recording in one pass over its events, compiled by numba.

Where the frames begin is found by bisection. Then one loop decodes, checks, scales and accumulates: an event is read as
two 64-bit words, and two small tables hold the pixel of every sensor column and row. Events come in the order of time,
so that the frame being filled stays in the second-level cache. The loop runs on one thread and without the GIL, since
data loaders have one worker a core.
"""

import numba
import numpy as np

CHANNELS = {'count': 2, 'binary': 2, 'voxel': 1, 'polarity_voxel': 2, 'time_surface': 2}
SPLITS = ('time', 'number', 'duration')
MAX_FRAMES, MAX_GIB = 1_000_000, 8  # where the events decide how many frames there are, of which one can be wrong

_LAYOUT = np.dtype({
    'names': ['t', 'x', 'y', 'p'], 'formats': ['<i8', '<u2', '<u2', 'u1'], 'offsets': [0, 8, 10, 12], 'itemsize': 16})
_NEVER = np.iinfo(np.int64).min
_OUTSIDE = np.uint64(2**64 - 1)
_x_y_bits, _p_bits = np.uint64(0xFFFF), np.uint64(0xFF)
_y_shift, _p_shift = np.uint64(16), np.uint64(32)
_one = np.uint64(1)

_jit = numba.njit(nogil=True, error_model='numpy', cache=True)


@_jit
def _locate(word, cols, rows, plane):
    """Place of an event in a frame, or _OUTSIDE; unsigned, for a signed index would count from the end."""
    x, y, p = word & _x_y_bits, (word >> _y_shift) & _x_y_bits, (word >> _p_shift) & _p_bits
    if x >= np.uint64(cols.size) or y >= np.uint64(rows.size) or p > _one:
        return _OUTSIDE
    return p * plane + rows[y] + cols[x]


# Each kernel returns the index of the first event that is outside of the sensor or earlier than the one before, or -1.
# It loops over slices: the compiler then knows that no index counts from the end, which is a quarter of the time.


@_jit
def _count(words, cuts, cols, rows, plane, frames):
    """Counts of 16 bits take half the cache; whenever one is full, 65536 is carried over to the frame."""
    counts = np.zeros(frames.shape[1], np.uint16)
    t = _NEVER
    for f in range(frames.shape[0]):
        frame, part = frames[f], words[cuts[f] : cuts[f + 1]]
        if not part.size:
            continue
        for i in range(part.shape[0]):
            before, t = t, np.int64(part[i, 0])
            place = _locate(part[i, 1], cols, rows, plane)
            if place == _OUTSIDE or t < before:
                return cuts[f] + i
            counts[place] += 1
            if counts[place] == 0:
                frame[place] += 65536
        for k in range(counts.size):
            frame[k] += np.float32(counts[k])
        counts[:] = 0
    return -1


@_jit
def _binary(words, cuts, cols, rows, plane, frames):
    t = _NEVER
    for f in range(frames.shape[0]):
        frame, part = frames[f], words[cuts[f] : cuts[f + 1]]
        for i in range(part.shape[0]):
            before, t = t, np.int64(part[i, 0])
            place = _locate(part[i, 1], cols, rows, plane)
            if place == _OUTSIDE or t < before:
                return cuts[f] + i
            frame[place] = np.float32(1)
    return -1


@_jit
def _voxel(words, cuts, cols, rows, plane, frames, start, end):
    last = frames.shape[0] - 1
    frames_per_us = last / max(end - start, 1)
    t = _NEVER
    part = words[cuts[0] : cuts[-1]]
    for i in range(part.shape[0]):
        before, t = t, np.int64(part[i, 0])
        place = _locate(part[i, 1], cols, rows, plane)
        if place == _OUTSIDE or t < before:
            return cuts[0] + i
        negative = plane == 0 and (part[i, 1] >> _p_shift) & _p_bits == 0
        sign = np.float32(-1) if negative else np.float32(1)
        at = (t - start) * frames_per_us
        f = max(0, min(np.int64(at), last))  # never outside, even of times that overflow
        later = np.float32(at - f)
        frames[f, place] += sign * (np.float32(1) - later)
        if f < last:
            frames[f + 1, place] += sign * later
    return -1


@_jit
def _time_surface(words, cuts, cols, rows, plane, frames, ends, tau):
    latest = np.full(frames.shape[1], _NEVER)
    t = _NEVER
    for f in range(frames.shape[0]):
        frame, part = frames[f], words[cuts[f] : cuts[f + 1]]
        for i in range(part.shape[0]):
            before, t = t, np.int64(part[i, 0])
            place = _locate(part[i, 1], cols, rows, plane)
            if place == _OUTSIDE or t < before:
                return cuts[f] + i
            latest[place] = t
        for k in range(latest.size):
            if latest[k] != _NEVER:
                frame[k] = np.exp(np.float32(latest[k] - ends[f]) / tau)
    return -1


def event_frames(
    events: np.ndarray,
    sensor_size: tuple[int, int],
    T: int | None = None,
    *,
    split: str = 'time',
    kind: str = 'count',
    size: tuple[int, int] | None = None,
    duration: int | None = None,
    tau: float | None = None,
    t_range: tuple[int, int] | None = None,
) -> np.ndarray:
    """Turn events into ``T`` frames.

    Splits, with ``start`` and ``end`` the times of the first and the last event:

    - 'time': frames of ``(end - start) // T`` us; the last one lasts until the end.
    - 'number': frames of ``N // T`` events; the last one takes what remains.
    - 'duration': frames of ``duration`` us, as many as the recording is long, of which the last also takes an event at
      ``end`` itself. With ``T`` given the first ``T`` of them, empty ones appended where there are fewer.

    These are the rules of SpikingJelly's ``integrate_events_by_fixed_frames_number`` and
    ``integrate_events_by_fixed_duration``, and where those run the frames of kind 'count' are the same. They fail where
    a slice of time has no event or all events have the same time; here such a frame is empty.

    With ``t_range`` the window ``start <= t < end`` takes the place of the recording: times count from its start, and
    other events are left out. A stream is cut by consecutive windows, each of ``T`` times the same duration.

    Kinds, where a frame is ``[C, H, W]`` and its channels are 0 for OFF and 1 for ON events unless said otherwise:

    - 'count': number of events of each pixel and polarity.
    - 'binary': 1 where there is an event, else 0.
    - 'voxel': voxel grid of one channel, ``V(f, y, x) = sum_i s_i max(0, 1 - |f - t*_i|)`` over the events ``i`` of a
      pixel, with ``s`` -1 for OFF and +1 for ON and ``t*_i = (T - 1) (t_i - start) / (end - start)``. It is that
      of `E2VID's code <https://github.com/uzh-rpg/rpg_e2vid>`_ (``events_to_voxel_grid``), after `Unsupervised
      Event-based Learning of Optical Flow, Depth, and Egomotion <https://arxiv.org/abs/1812.08156>`_ (Zhu et al.,
      2019). An event counts in the two frames that it lies between, so that ``split`` must be 'time'.
    - 'polarity_voxel': the same with ``s = 1`` and a channel for each polarity. The `code
      <https://github.com/uzh-rpg/rpg_event_representation_learning>`_ of `End-to-End Learning of Representations for
      Asynchronous Event-Based Data <https://arxiv.org/abs/1904.08245>`_ (Gehrig et al., 2019) has these channels, too,
      and starts from this kernel, but adds up the times of the events instead of their number and then learns.
    - 'time_surface': ``exp(-(t_f - t_last) / tau)`` with ``t_f`` the end of frame ``f`` ('number': its last event) and
      ``t_last`` the time of the last event of pixel and polarity until then, also of earlier frames; 0 where there was
      none. Time surfaces are from `HOTS <https://doi.org/10.1109/TPAMI.2016.2574707>`_ (Lagorce et al., 2017), which
      has one of the neighbours of each event; here it is of all pixels at the end of a frame.

    Args:
        events: Structured array with integer fields ``t`` (in us, sorted), ``x``, ``y`` and ``p`` (0 or 1), shape
            ``[N]``. It is copied unless it has the layout of the readers: int64, uint16, uint16 and uint8 at bytes 0,
            8, 10 and 12 of 16. (NumPy's ``concatenate`` packs that to 13 bytes.)
        sensor_size: Height and width of the sensor.
        T: Number of frames; None, for as many as there are, with ``split='duration'`` only.
        split: 'time', 'number' or 'duration'.
        kind: 'count', 'binary', 'voxel', 'polarity_voxel' or 'time_surface'.
        size: Height and width of the frames; an event goes to column ``x * width // sensor width``, and likewise for
            rows. A size above the sensor's leaves pixels empty. None keeps the sensor's.
        duration: Length of a frame in us, for ``split='duration'``.
        tau: Time constant in us, for ``kind='time_surface'``.
        t_range: Start and end of the window in us, or None for that of the events.

    Returns:
        Frames, float32, ``[T, C, H, W]``. A count is exact below 2**24.

    Raises:
        ValueError: An argument is out of range, there are neither events nor a ``t_range``, an event is outside of the
            sensor, the events are not sorted, or they ask for more than ``MAX_FRAMES`` frames or ``MAX_GIB``.
        TypeError: ``events`` is not an array with these fields.
    """
    check_arguments(T, split=split, kind=kind, size=size, duration=duration, tau=tau)
    events = _in_layout(events)
    words = np.ascontiguousarray(events).view(np.uint64).reshape(-1, 2)
    height, width = size or sensor_size
    channels = CHANNELS[kind]
    cuts, edges = frame_cuts(
        events['t'], T, split=split, duration=duration, t_range=t_range, frame_bytes=4 * channels * height * width)
    frames = np.zeros((len(cuts) - 1, channels, height, width), np.float32)
    plane = np.uint64(height * width if channels == 2 else 0)
    args = words, cuts, _places(sensor_size[1], width, 1), _places(sensor_size[0], height, width), plane
    flat = frames.reshape(len(frames), channels * height * width)
    if kind == 'count':
        bad = _count(*args, flat)
    elif kind == 'binary':
        bad = _binary(*args, flat)
    elif kind == 'time_surface':
        bad = _time_surface(*args, flat, edges[1:], np.float32(tau))
    else:
        bad = _voxel(*args, flat, edges[0], edges[-1])
    if bad >= 0:
        raise ValueError(_explain(events, bad, sensor_size))
    return frames


def check_arguments(
    T: int | None, *, split: str, kind: str, size: tuple[int, int] | None, duration: int | None, tau: float | None
) -> None:
    """Refuse arguments of :func:`event_frames` that do not fit together.

    Raises:
        ValueError: One is out of range, missing or without use.
    """
    if split not in SPLITS:
        raise ValueError(f'split must be one of {SPLITS}, but got {split!r}.')
    if kind not in CHANNELS:
        raise ValueError(f'kind must be one of {tuple(CHANNELS)}, but got {kind!r}.')
    if not (_is_count(T) or (T is None and split == 'duration')):
        raise ValueError(f"T must be a positive integer, or None with split='duration', but got {T!r}.")
    if size is not None and not (np.shape(size) == (2,) and all(map(_is_count, size))):
        raise ValueError(f'size must be a positive height and width, but got {size!r}.')
    if (split == 'duration') != (duration is not None) or not (duration is None or _is_count(duration)):
        raise ValueError(f"duration must be a positive integer with split='duration', else None, but got {duration!r}.")
    if (kind == 'time_surface') != (tau is not None) or (tau is not None and not tau > 0):
        raise ValueError(f"tau must be positive with kind='time_surface', else None, but got {tau!r}.")
    if 'voxel' in kind and split != 'time':
        raise ValueError(f"split must be 'time' with kind={kind!r}, but got {split!r}.")


def _is_count(value: object) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool) and value > 0


def _in_layout(events: np.ndarray) -> np.ndarray:
    """The same events, 16 bytes each."""
    dtype = events.dtype if isinstance(events, np.ndarray) else None
    if dtype == _LAYOUT:
        return events
    fields = (dtype and dtype.fields) or {}
    if not all(name in fields and fields[name][0].kind in 'biu' for name in _LAYOUT.names):
        raise TypeError(f'events must be a structured array with integer fields t, x, y and p, but got {dtype}.')
    converted = np.zeros(events.shape, _LAYOUT)
    for name in _LAYOUT.names:
        converted[name] = events[name]
        if np.can_cast(fields[name][0], _LAYOUT[name]):
            continue
        lost = converted[name] != events[name]  # else column 65536 would become column 0
        if lost.any():
            i = lost.argmax()
            raise ValueError(f'events must have {name} in the range of {_LAYOUT[name]}, but got {events[name][i]} at '
                             f'index {i}.')
    return converted


def frame_cuts(
    t: np.ndarray,
    T: int | None = None,
    *,
    split: str = 'time',
    duration: int | None = None,
    t_range: tuple[int, int] | None = None,
    frame_bytes: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Find where the frames of :func:`event_frames` begin and end.

    Args:
        t: Times of the events in us, sorted, ``[N]``.
        T, split, duration, t_range: As of :func:`event_frames`.
        frame_bytes: Size of a frame, where all are to be held at once.

    Returns:
        Index of the first event of each frame and, in the end, of that after the last, ``[T + 1]``; time when the first
        frame begins and each one ends, in us, ``[T + 1]``. With split 'number' a frame ends with its last event.

    Raises:
        ValueError: There are neither events nor a ``t_range``, or there are too many frames.
    """
    start, end, lo, hi = _window(t, t_range)
    if split == 'number':
        cuts = np.append(lo + (hi - lo) // T * np.arange(T), hi)
        return cuts, np.array([start, *(t[cut - 1] if cut > lo else start for cut in cuts[1:])])
    step = (end - start) // T if split == 'time' else duration
    last = T if split == 'time' else max(1, -(-(end - start) // duration))
    if T is None:
        _check_number(last, duration, end - start, frame_bytes)
    edges = start + step * np.arange((T or last) + 1)
    cuts = np.searchsorted(t, edges)
    cuts[last:] = hi
    if split == 'time':
        edges[T] = end
    return cuts, edges


def _window(t: np.ndarray, t_range: tuple[int, int] | None) -> tuple[int, int, int, int]:
    """Start and end in us, and the indices of the first event and of that after the last."""
    if t_range is not None:
        start, end = map(int, t_range)
        if start >= end:
            raise ValueError(f't_range must be a start and a later end, but got {t_range!r}.')
        return start, end, *np.searchsorted(t, [start, end]).tolist()
    if not len(t):
        raise ValueError('events must not be empty where t_range is None, but got no event.')
    if t[-1] < t[0]:
        raise ValueError(f'events must be sorted by t, but got {t[-1]} after {t[0]}.')
    return int(t[0]), int(t[-1]), 0, len(t)


def _check_number(number: int, duration: int, length: int, frame_bytes: int) -> None:
    size = number * frame_bytes / 2**30
    if number > MAX_FRAMES or size > MAX_GIB:
        raise ValueError(
            f'Frames must be at most {MAX_FRAMES:,} and {MAX_GIB} GiB, but got {number:,} of {duration} us'
            f'{f" and {size:,.0f} GiB" if size else ""} for {length / 1e6:,.1f} s. A wrong time stamp may have done '
            'that. Give T, a t_range or a longer duration.')


def _places(sensor_length: int, length: int, step: int) -> np.ndarray:
    """Where in a frame each column or row of the sensor goes, ``[sensor_length]``."""
    return (np.arange(sensor_length) * length // sensor_length * step).astype(np.uint64)


def _explain(events: np.ndarray, i: int, sensor_size: tuple[int, int]) -> str:
    t, x, y, p = events[i].item()
    if x >= sensor_size[1] or y >= sensor_size[0] or p > 1:
        return (f'events must lie on the {sensor_size[1]} x {sensor_size[0]} pixels of the sensor and have polarity 0 '
                f'or 1, but got x={x}, y={y}, p={p} at index {i}.')
    return f'events must be sorted by t, but got {t} after {events["t"][i - 1]} at index {i}.'
