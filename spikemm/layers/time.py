"""Time is the first axis of every spiking tensor, ``[T, B, C, H, W]``; layers without state run on ``T*B`` at once."""

from collections.abc import Callable

from torch import Tensor


def over_time(layer: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Apply a stateless layer to every time step: ``[T, B, ...]`` -> ``[T, B, ...]``."""
    return layer(x.flatten(0, 1)).unflatten(0, x.shape[:2])


def to_sequence(x: Tensor, T: int) -> Tensor:
    """Repeat an image over ``T`` time steps; let an event sequence pass.

    Args:
        x: Image ``[B, C, H, W]`` or sequence ``[T, B, C, H, W]``.
        T: Number of time steps for images. A sequence keeps its own.

    Raises:
        ValueError: ``x`` is neither 4D nor 5D.
    """
    if x.ndim == 4:
        return x.expand(T, *x.shape)
    if x.ndim != 5:
        raise ValueError(f'x must be [B, C, H, W] or [T, B, C, H, W], but got shape {tuple(x.shape)}.')
    return x
