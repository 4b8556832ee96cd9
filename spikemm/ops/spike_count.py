"""What an operator reads: whether it is spikes, and how many, in one pass over memory on CPU."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

LARGEST_INTEGER = 255  # eight bits; whole numbers beyond it are no numbers of spikes


class Places(NamedTuple):
    """Weights of the places of a map, float32 ``[*size]``, and whether all are the same."""

    weights: np.ndarray
    uniform: bool


class SpikeCount(NamedTuple):
    """What a tensor ``[N, ...]`` holds.

    Args:
        operand: 'binary' (0 and 1), 'scaled' (0 and one other number), 'integer' (whole numbers up to
            :data:`LARGEST_INTEGER` in size) or 'real'.
        sums: Of each of the ``N`` parts, float64 ``[3, N]``: how many numbers are not 0; the sum of their sizes (of
            scaled ones, how many); the same with each number times the weight of its place. NaN of real numbers.
        numel: Numbers in one part.
        unit: The one number that is not 0; 0 if there is none, NaN of 'integer' and 'real'.
    """

    operand: str
    sums: np.ndarray
    numel: int
    unit: float

    @property
    def values(self) -> np.ndarray:
        return self.sums[1]

    @property
    def reached(self) -> np.ndarray:
        return self.sums[2]


def spike_count(x: Tensor, places: Places | None = None) -> SpikeCount:
    """Count the spikes in ``x``.

    Args:
        x: ``[N, C, *size]`` with ``places``, else ``[N, ...]``.
        places: Weights of the places of a map; None for 1.
    """
    if x.numel() == 0:
        return SpikeCount('binary', np.zeros((3, len(x))), 0, 0.0)
    if x.is_meta:  # a shape without numbers: as dear as it may be
        return SpikeCount('real', np.full((3, len(x)), np.nan), x.numel() // len(x), np.nan)
    if x.dtype not in (torch.float32, torch.float64):
        x = x.float()
    rows, weights, inner = _arranged(x.detach(), places)
    count = _on_cpu if x.device.type == 'cpu' else _anywhere
    (nonzero, size, nonzero_reached, reached), other, fraction, unlike, first = count(rows, weights, inner)
    numel = x.numel() // len(x)
    if other and not unlike and np.isfinite(size).all():
        return SpikeCount('scaled', np.stack([nonzero, nonzero, nonzero_reached]), numel, first)
    if other and fraction:
        return SpikeCount('real', np.full((3, len(x)), np.nan), numel, np.nan)
    sums = np.stack([nonzero, size, reached])
    return SpikeCount('integer', sums, numel, np.nan) if other else SpikeCount('binary', sums, numel, first)


def fire_count(spikes: Tensor) -> tuple[np.ndarray, float]:
    """Sum of the sizes of what neurons ``[T, B, C, ...]`` (or ``[T, B]``) sent, ``[T, C]``, and the largest size."""
    x = spikes.detach()
    x = x if x.ndim > 2 else x.reshape(len(x), -1, 1)
    if x.is_meta:
        return np.zeros((len(x), x.shape[2])), 0.0
    if x.device.type == 'cpu' and x.dtype == torch.float32 and x.ndim == 5 and x.movedim(2, -1).is_contiguous():
        from . import spike_count_cpu  # numba is loaded when it is needed

        return spike_count_cpu.fire_count(x.movedim(2, -1).flatten(1, 3).numpy())
    x = x.abs()  # there are neurons that send -1, too
    sums = x.sum([d for d in range(x.ndim) if d not in (0, 2)], dtype=torch.float32)
    return sums.cpu().numpy(), float(x.max())


def _arranged(x: Tensor, places: Places | None) -> tuple[Tensor, np.ndarray, bool]:
    """``x`` as it lies in memory, ``[N, rows, length]``, the weights of the places, and whether those vary in a row."""
    channels_last = x.ndim > 3 and not x.is_contiguous()
    dense = x.movedim(1, -1) if channels_last else x
    if places is None or places.uniform:
        weight = 1 if places is None else places.weights.flat[0]
        return dense.reshape(len(x), 1, -1), np.array([weight], np.float32), False
    length = x.shape[1] if channels_last else places.weights.size
    return dense.reshape(len(x), -1, length), places.weights.reshape(-1), not channels_last


def _anywhere(x: Tensor, weights: np.ndarray, inner: bool) -> tuple[np.ndarray, bool, bool, bool, float]:
    size, places = x.abs(), torch.from_numpy(weights).to(x)
    fires = (size > 0).to(x)
    if not inner:
        places = places.repeat(x.shape[1] // len(places))[:, None]
    sums = torch.stack([y.sum((1, 2), dtype=torch.float64) for y in (fires, size, fires * places, size * places)])
    other = (x != fires).any()
    fraction = ((x != x.round()) | ~(size <= LARGEST_INTEGER)).any()
    first = x.flatten()[fires.flatten().argmax()]
    unlike = (x != fires * first).any()
    return sums.cpu().numpy(), bool(other), bool(fraction), bool(unlike), float(first)


def _on_cpu(x: Tensor, weights: np.ndarray, inner: bool) -> tuple[np.ndarray, bool, bool, bool, float]:
    from . import spike_count_cpu  # numba is loaded when it is needed

    return spike_count_cpu.count(x.contiguous().numpy(), weights, inner)
