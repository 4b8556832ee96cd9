"""Time is the first axis of every spiking tensor, ``[T, B, C, H, W]``; layers without state run on ``T*B`` at once."""

from collections.abc import Callable

import torch
from torch import Tensor, nn


def over_time(layer: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Apply a stateless layer to every time step: ``[T, B, ...]`` -> ``[T, B, ...]``."""
    return layer(x.flatten(0, 1)).unflatten(0, x.shape[:2])


class OverTime(nn.Module):
    """A stateless layer as a layer over ``[T, B, ...]``."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor, neuron: nn.Module | None = None) -> Tensor:
        """The layer, then ``neuron`` if one is given."""
        x = over_time(self.layer, x)
        return x if neuron is None else neuron(x)

    def forward_image(self, x: Tensor, T: int) -> Tensor:
        """A still image ``[B, ...]`` is the same at every step: compute it once, ``[T, B, ...]``."""
        return repeat_over_time(self.layer(x), T)


def repeat_over_time(x: Tensor, T: int) -> Tensor:
    """``[B, ...]`` repeated to ``[T, B, ...]``, stored in its own order (``expand`` and ``repeat`` would lose it)."""
    return torch.cat([x] * T).unflatten(0, (T, x.shape[0])) if T > 1 else x.unsqueeze(0)


def mean_over_time(x: Tensor) -> Tensor:
    """End of time: ``[T, B, ...]`` -> ``[B, ...]``."""
    return x[0] if len(x) == 1 else x.mean(0)


def channels_last(x: Tensor) -> Tensor:
    """An image or sequence stored with its channels together, on CPU: convolutions there are faster so.

    Every layer of ours keeps the order in which its input is stored.
    """
    if x.device.type != 'cpu':
        return x
    if x.ndim == 5:
        return over_time(channels_last, x)
    return x.contiguous(memory_format=torch.channels_last)


def to_sequence(x: Tensor, T: int) -> Tensor:
    """Repeat an image, or maps of it, over ``T`` time steps; let a sequence pass.

    Args:
        x: ``[B, C, H, W]`` or sequence ``[T, B, C, H, W]``.
        T: Number of time steps for the former. A sequence keeps its own.

    Raises:
        ValueError: ``x`` is neither 4D nor 5D.
    """
    if x.ndim == 4:
        return x.expand(T, *x.shape)
    if x.ndim != 5:
        raise ValueError(f'x must be [B, C, H, W] or [T, B, C, H, W], but got shape {tuple(x.shape)}.')
    return x
