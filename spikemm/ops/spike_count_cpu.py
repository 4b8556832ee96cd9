"""The passes of :mod:`spikemm.ops.spike_count` on CPU, compiled by numba."""

import numba
import numpy as np

from .spike_count import LARGEST_INTEGER
from .threads import parallel_for

GRAIN = 1 << 20  # numbers worth a thread: the pass takes less time than most
BLOCK = 8192  # numbers that are summed in float32: whole numbers up to 255 stay exact
PARTS = 4  # of a map, for the threads
FIRST = 256  # numbers that show most real tensors to be real

_f32 = np.float32
_largest = _f32(LARGEST_INTEGER)
_jit = numba.njit(nogil=True, error_model='numpy', cache=True, fastmath={'reassoc', 'contract', 'nsz'})


def count(x: np.ndarray, weights: np.ndarray, inner: bool) -> tuple[np.ndarray, bool, bool, bool, float]:
    """Sums of :class:`~spikemm.ops.spike_count.SpikeCount`, and what numbers there are.

    Args:
        x: ``[N, rows, length]``.
        weights: Of each row, or of one for all, or with ``inner`` of each place in a row.
        inner: Whether the weights are those of places in a row.

    Returns:
        Numbers not 0, their sizes, and both weighted, ``[4, N]``; whether there is a number that is neither 0 nor 1;
        one that is not whole, or too large; one that is neither 0 nor the first number that is not 0; and that number.
        Where both of the latter are true, the sums are of no use.
    """
    parts, rows, length = x.shape
    chunk = max(1, BLOCK // length)  # rows a unit
    blocks = -(-length // BLOCK)  # units a row, where one is longer than a unit
    per_part = -(-rows // chunk) * blocks
    units = np.zeros((parts, per_part, 8))  # four sums, three flags, the first number that is not 0
    real = np.zeros(1, np.bool_)
    grain = max(1, GRAIN // min(chunk * length, BLOCK))
    args = x.reshape(parts, -1), weights, inner, length, chunk, blocks, units.reshape(-1, 8), real
    parallel_for(_count, parts * per_part, *args, grain=grain)
    sums, other, fraction, unlike, first = _sum(units)
    return (sums, True, True, True, first) if real[0] else (sums, other, fraction, unlike, first)


@_jit
def _count(lo, hi, x, weights, inner, length, chunk, blocks, units, real):
    per_part = len(units) // len(x)
    for unit in range(lo, hi):
        if real[0]:
            return
        part, place = unit // per_part, unit % per_part
        row, start = place // blocks * chunk, place % blocks * BLOCK
        flat = x[part, row * length:(row + chunk) * length]
        block = flat[start:start + BLOCK] if blocks > 1 else flat
        if _is_real(block[:FIRST]):
            real[0] = True
            return
        at = units[unit]
        if not inner and weights.size > 1 and blocks == 1:
            for i in range(block.size // length):
                nonzero, size = _sums(block[i * length:(i + 1) * length])
                _add(at, nonzero, size, nonzero * weights[row + i], size * weights[row + i])
        elif inner:
            for i in range(0, block.size, length):
                line = block[i:i + length]
                nonzero, size = _sums(line)
                _add(at, nonzero, size, *_weighted(line, weights[start:start + line.size]))
        else:
            nonzero, size = _sums(block)
            weight = weights[row if weights.size > 1 else 0]
            _add(at, nonzero, size, nonzero * weight, size * weight)
        if not at[0]:
            continue
        first = _first(block)
        at[6], at[7] = _differs(block, first), first
        at[4] = at[6] or first != 1
        if at[4]:
            at[5] = _has_fraction(block)
            if at[5] and at[6]:
                real[0] = True


@_jit
def _add(at, nonzero, size, nonzero_reached, reached):
    at[0] += nonzero
    at[1] += size
    at[2] += nonzero_reached
    at[3] += reached


@_jit
def _sum(units):
    sums = np.zeros((4, units.shape[0]))
    other, fraction, unlike, first = False, False, False, 0.0
    for n in range(units.shape[0]):
        for at in units[n]:
            for i in range(4):
                sums[i, n] += at[i]
            other, fraction, unlike = other or at[4] > 0, fraction or at[5] > 0, unlike or at[6] > 0
            if at[7] != 0:
                unlike = unlike or (first != 0 and at[7] != first)
                first = at[7]
    return sums, other, fraction, unlike, first


@_jit
def _is_real(x):
    """Whether there are numbers that are not whole, and not all the same."""
    return _has_fraction(x) and _differs(x, _first(x))


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
def _has_fraction(x):
    wrong = _f32(0)
    for i in range(x.size):
        wrong += _f32((x[i] != np.rint(x[i])) | (abs(x[i]) > _largest))
    return wrong > 0


def fire_count(x: np.ndarray) -> tuple[np.ndarray, float]:
    """Sums of sizes ``[T, C]`` and the largest size of ``x`` ``[T, places, C]``."""
    T, places, channels = x.shape
    step = -(-places // PARTS)
    units = np.zeros((T, PARTS, 2, channels), np.float32)  # the sum and the largest
    parallel_for(_fire_count, T * PARTS, x, step, units.reshape(-1, 2, channels),
                 grain=max(1, GRAIN // (step * channels)))
    return units[:, :, 0].sum(1), float(units[:, :, 1].max())


@_jit
def _fire_count(lo, hi, x, step, units):
    for unit in range(lo, hi):
        t, start = unit // PARTS, unit % PARTS * step
        total, most = units[unit, 0], units[unit, 1]
        for place in range(start, min(start + step, x.shape[1])):
            row = x[t, place]
            for c in range(row.size):
                total[c] += abs(row[c])
                most[c] = max(most[c], abs(row[c]))
