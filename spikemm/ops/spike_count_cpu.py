"""The pass of :mod:`spikemm.ops.spike_count` on CPU, compiled by numba."""

import numba
import numpy as np

from .spike_count import LARGEST_INTEGER
from .threads import parallel_for

GRAIN = 1 << 18  # numbers worth a thread: a pass takes less than most
BLOCK = 8192  # numbers a thread takes at once, summed in float32: whole numbers up to 255 stay exact

_f32 = np.float32
_largest = _f32(LARGEST_INTEGER)
_jit = numba.njit(nogil=True, error_model='numpy', cache=True, fastmath={'reassoc', 'contract', 'nsz'})


def count(x: np.ndarray, weights: np.ndarray, inner: bool) -> tuple[np.ndarray, bool, bool, bool]:
    """Sums of :class:`~spikemm.ops.spike_count.SpikeCount`, and what numbers there are.

    Args:
        x: ``[N, rows, length]``.
        weights: Of each row, or of one for all, or with ``inner`` of each place in a row.
        inner: Whether the weights are those of places in a row.

    Returns:
        Numbers not 0, their sizes, and both weighted, ``[4, N]``; whether there is a number that is neither 0 nor 1;
        one that is not whole, or too large; one that is neither 0 nor the first number that is not 0.
    """
    parts, rows, length = x.shape
    blocks = -(-length // BLOCK)  # of a row
    units = parts * rows * blocks
    sums, flags, seen = np.zeros((units, 4)), np.zeros((units, 3), np.bool_), np.zeros(units, x.dtype)
    grain = max(1, GRAIN // min(length, BLOCK))
    parallel_for(_count, units, x.reshape(-1, length), weights, inner, rows, blocks, seen, sums, flags, grain=grain)
    other, fraction, unlike = flags.any(0).tolist()
    seen = seen[seen != 0]
    unlike = unlike or bool(seen.size and (seen != seen[0]).any())
    return sums.reshape(parts, -1, 4).sum(1).T, other, fraction, unlike


@_jit
def _count(lo, hi, x, weights, inner, rows, blocks, seen, sums, flags):
    length = x.shape[1]
    for unit in range(lo, hi):
        row, start = unit // blocks, unit % blocks * BLOCK
        block = x[row, start:min(start + BLOCK, length)]
        nonzero, size = _sums(block)
        sums[unit, 0], sums[unit, 1] = nonzero, size
        if inner:
            sums[unit, 2], sums[unit, 3] = _weighted(block, weights[start:start + block.size])
        else:
            weight = weights[row % rows if weights.size > 1 else 0]
            sums[unit, 2], sums[unit, 3] = nonzero * weight, size * weight
        if nonzero:
            one = type(seen[unit])(1)
            binary = size == nonzero and not _differs(block, one)
            seen[unit] = one if binary else _first(block)
            if not binary:
                flags[unit, 0], flags[unit, 1], flags[unit, 2] = True, _fraction(block), _differs(block, seen[unit])


@_jit
def _first(x):
    """The first number that is not 0."""
    for i in range(x.size):
        if x[i] != 0:
            return x[i]
    return x[0]


@_jit
def _sums(x):
    nonzero, size = _f32(0), _f32(0)
    for i in range(x.size):
        nonzero += _f32(x[i] != 0)
        size += _f32(abs(x[i]))
    return nonzero, size


@_jit
def _weighted(x, weights):
    nonzero, size = _f32(0), _f32(0)
    for i in range(x.size):
        nonzero += weights[i] * _f32(x[i] != 0)
        size += weights[i] * _f32(abs(x[i]))
    return nonzero, size


@_jit
def _differs(x, value):
    """Whether there is a number that is neither 0 nor ``value``."""
    wrong = _f32(0)
    for i in range(x.size):
        wrong += _f32((x[i] != 0) & (x[i] != value))
    return wrong > 0


@_jit
def _fraction(x):
    wrong = _f32(0)
    for i in range(x.size):
        wrong += _f32((x[i] != np.rint(x[i])) | (abs(x[i]) > _largest))
    return wrong > 0


def fire_count(x: np.ndarray) -> tuple[np.ndarray, float]:
    """Sums ``[T, C]`` and the largest number of ``x`` ``[T, places, C]``."""
    T, places, channels = x.shape
    step = -(-places // 4)  # of the places, for the threads
    sums, largest = np.zeros((T * 4, channels), np.float32), np.zeros(T * 4, np.float32)
    parallel_for(_fire_count, T * 4, x, step, sums, largest, grain=max(1, GRAIN // (step * channels)))
    return sums.reshape(T, 4, channels).sum(1), float(largest.max())


@_jit
def _fire_count(lo, hi, x, step, sums, largest):
    channels = x.shape[2]
    for unit in range(lo, hi):
        t, start = unit // 4, unit % 4 * step
        total, most = sums[unit], np.zeros(channels, np.float32)
        for place in range(start, min(start + step, x.shape[1])):
            row = x[t, place]
            for c in range(channels):
                total[c] += row[c]
                most[c] = max(most[c], row[c])
        largest[unit] = most.max()
