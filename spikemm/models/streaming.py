"""Streaming: a forward pass that begins where the one before it ended."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import RLock, get_ident
from typing import Any

import torch
from spikingjelly.activation_based.base import MemoryModule
from torch import Tensor, nn

from spikemm.neurons import StatelessMixin

State = dict[str, Tensor]
"""Potential ``[B, ...]`` of each neuron layer by its name in the module. A plain dict: detach, move or save what is in
it as any dict of tensors. A neuron that a forward calls again has a second entry, ``name#2``, and so on."""

_LOCK = RLock()  # streams of one model in several threads take turns


def forward_with_state(module: nn.Module, x: Tensor, state: State | None = None) -> tuple[Any, State]:
    """Call ``module(x)`` with neurons that start from ``state`` instead of rest, and return where they end.

    A sequence in pieces gives the spikes of the whole sequence, in evaluation: batch norms in training see one piece at
    a time. A classifier's logits are the mean over the steps of the piece, so the mean over pieces, weighted by their
    steps, is that of the whole sequence. What lies behind the end of time in a detector or segmentor begins anew with
    each image: stream its backbone only.

    Nothing is left in the module, whatever happens; ``state`` is not changed. Gradients pass through the state; to cut
    them between the pieces, detach it.

    Example::

        state = None
        for piece in frames.split(2):  # [2, B, C, H, W] of [T, B, C, H, W]
            feats, state = forward_with_state(backbone, piece, state)
            state = {name: v.detach() for name, v in state.items()}

    Args:
        module: Any part of a model that has spikemm's neurons, folded by ``reparameterize`` or not. A compiled one runs
            uncompiled.
        x: Its input, such as ``[T, B, C, H, W]``.
        state: What the call before returned; None, or without an entry for a neuron, means rest.

    Returns:
        What ``module(x)`` returns, and the new state.

    Raises:
        TypeError: A neuron keeps its state to itself.
        ValueError: The state is that of another module, batch, size or device; or activations would be recomputed in
            the backward (``with_cp``), where the state is gone; or a layer reads the whole sequence
            (``needs_whole_sequence``).
    """
    _check(module)
    start, end = state or {}, {}
    with _LOCK, torch.compiler.set_stance('force_eager'), _carried(module, start, end):
        out = module(x)
    unread = sorted(start.keys() - end.keys())
    if unread:
        raise ValueError(f'state must belong to the module, but no neuron of it started from {unread[0]!r} '
                         f'({len(unread)} of {len(start)} entries were not read).')
    return out, end


def _check(module: nn.Module) -> None:
    for name, m in module.named_modules():
        if isinstance(m, MemoryModule) and not isinstance(m, StatelessMixin):
            raise TypeError(f'{name!r} must be a neuron of spikemm, but got {type(m).__name__}, which hides its state.')
        if getattr(m, 'needs_whole_sequence', False):
            raise ValueError(f'module must work step by step, but {name!r} ({type(m).__name__}) reads all time steps.')
        if getattr(m, 'with_cp', False) and m.training and torch.is_grad_enabled():
            raise ValueError(f'{name!r} must not recompute activations while streaming, but got with_cp=True.')


@contextmanager
def _carried(module: nn.Module, start: State, end: State) -> Iterator[None]:
    """Let the neurons of ``module`` start from ``start`` and write where they end to ``end``."""
    neurons = {name: m for name, m in module.named_modules() if isinstance(m, StatelessMixin)}
    wrapped = {name: vars(neuron)['forward'] for name, neuron in neurons.items() if 'forward' in vars(neuron)}
    calls = Counter()
    try:
        for name, neuron in neurons.items():
            neuron.forward = _forward(name, neuron, start, end, calls)
        yield
    finally:
        for name, neuron in neurons.items():
            vars(neuron).pop('forward', None)
            if name in wrapped:
                neuron.forward = wrapped[name]


def _forward(name: str, neuron: nn.Module, start: State, end: State, calls: Counter) -> Callable[[Tensor], Tensor]:
    thread, stateless = get_ident(), neuron.forward

    def forward(x: Tensor) -> Tensor:
        if get_ident() != thread:  # somebody else calls the module meanwhile
            return stateless(x)
        calls[name] += 1
        key = name if calls[name] == 1 else f'{name}#{calls[name]}'
        v = start.get(key)
        if v is None:
            v = neuron.rest(x)
        elif (v.shape, v.device) != (x.shape[1:], x.device):
            raise ValueError(f'state[{key!r}] must have the shape {tuple(x.shape[1:])} of one step, on {x.device}, but '
                             f'got {tuple(v.shape)} on {v.device}.')
        (spikes,), (end[key],) = neuron.multi_step_functional_forward((x,), (v,))
        return spikes

    return forward
