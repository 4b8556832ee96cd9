"""The pass of :mod:`spikemm.ops.spike_count` on CPU, compiled by numba."""

import numba
import numpy as np

from .spike_count import LARGEST_INTEGER
from .threads import GRAIN, parallel_for

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
    sums, flags = np.zeros((units, 4)), np.zeros((units, 3), np.bool_)
    first = _first(x.reshape(-1))
    grain = max(1, GRAIN // min(length, BLOCK))
    parallel_for(_count, units, x.reshape(-1, length), weights, inner, rows, blocks, first, sums, flags, grain=grain)
    other, fraction, unlike = flags.any(0).tolist()
    return sums.reshape(parts, -1, 4).sum(1).T, other, fraction, unlike


@_jit
def _first(x):
    """The first number that is not 0."""
    for i in range(x.size):
        if x[i] != 0:
            return x[i]
    return x[0]


@_jit
def _count(lo, hi, x, weights, inner, rows, blocks, first, sums, flags):
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
        flags[unit, 0] = size != nonzero or _differs(block, type(first)(1))
        if flags[unit, 0]:
            flags[unit, 1], flags[unit, 2] = _fraction(block), _differs(block, first)
        else:
            flags[unit, 2] = first != 1 and nonzero > 0


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
