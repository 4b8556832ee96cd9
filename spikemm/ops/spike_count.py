"""What an operator reads: whether it is spikes, and how many, in one pass over memory on CPU."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

LARGEST_INTEGER = 255  # eight bits; whole numbers beyond it are no numbers of spikes


class SpikeCount(NamedTuple):
    """What a tensor ``[N, ...]`` holds.

    Args:
        operand: 'binary' (0 and 1), 'scaled' (0 and one other number), 'integer' (whole numbers up to
            :data:`LARGEST_INTEGER` in size) or 'real'.
        values: Sum of the sizes of each of the ``N`` parts, float64 ``[N]``; of scaled numbers how many are not 0.
        reached: The same, with each number times the weight of its place; for real numbers 0.
        nonzero: How many numbers are not 0, float64 ``[N]``.
        numel: Numbers in one part.
    """

    operand: str
    values: np.ndarray
    reached: np.ndarray
    nonzero: np.ndarray
    numel: int


def spike_count(x: Tensor, places: np.ndarray | None = None) -> SpikeCount:
    """Count the spikes in ``x``.

    Args:
        x: ``[N, C, *size]`` with ``places``, else ``[N, ...]``.
        places: Weight of every place of a map, float32 ``[*size]``, or None for 1.
    """
    parts = len(x)
    if x.numel() == 0:
        return SpikeCount('binary', *np.zeros((3, parts)), 0)
    if x.dtype not in (torch.float32, torch.float64):
        x = x.float()
    rows, weights, inner = _arranged(x, places)
    count = _on_cpu if x.device.type == 'cpu' else _anywhere
    sums, other, fraction, unlike = count(rows, weights, inner)
    operand = 'real' if fraction else 'integer'
    if not unlike:
        operand = 'scaled'
    if not other:
        operand = 'binary'
    nonzero, values, reached_nonzero, reached = sums
    if operand == 'scaled':
        values, reached = nonzero, reached_nonzero
    return SpikeCount(operand, values, reached, nonzero, x.numel() // parts)


def _arranged(x: Tensor, places: np.ndarray | None) -> tuple[Tensor, np.ndarray, bool]:
    """``x`` as it lies in memory, ``[N, rows, length]``, the weights of the places, and whether those vary in a row."""
    if places is None or (places == places.flat[0]).all():
        weight = 1 if places is None else places.flat[0]
        dense = x.permute(0, *range(2, x.ndim), 1) if x.ndim > 3 and not x.is_contiguous() else x
        return dense.reshape(len(x), 1, -1), np.array([weight], np.float32), False
    weights = np.ascontiguousarray(places, np.float32).reshape(-1)
    if x.is_contiguous():
        return x.reshape(len(x), x.shape[1], -1), weights, True
    return x.permute(0, *range(2, x.ndim), 1).reshape(len(x), -1, x.shape[1]), weights, False


def _anywhere(x: Tensor, weights: np.ndarray, inner: bool) -> tuple[np.ndarray, bool, bool, bool]:
    size, places = x.abs(), torch.from_numpy(weights).to(x)
    fires = (size > 0).to(x)
    places = places if inner else places[:, None]
    sums = torch.stack([y.sum((1, 2), dtype=torch.float64) for y in (fires, size, fires * places, size * places)])
    other = (x != fires).any()
    fraction = ((x != x.round()) | (size > LARGEST_INTEGER) | ~x.isfinite()).any()
    first = x.flatten()[fires.argmax()]
    unlike = (x != fires * first).any()
    return sums.cpu().numpy(), bool(other), bool(fraction), bool(unlike)


def _on_cpu(x: Tensor, weights: np.ndarray, inner: bool) -> tuple[np.ndarray, bool, bool, bool]:
    from . import spike_count_cpu  # numba is loaded when it is needed

    return spike_count_cpu.count(x.detach().contiguous().numpy(), weights, inner)
