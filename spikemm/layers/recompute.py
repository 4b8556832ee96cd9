"""Activation checkpointing: less memory, more time."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint


def recompute(block: Callable[[Tensor], Tensor], x: Tensor, *norms_of: nn.Module) -> Tensor:
    """``block(x)``, of which the backward keeps ``x`` only and computes the rest again.

    Args:
        block: What is computed; a module, or a function over modules.
        x: Its input.
        *norms_of: Modules that hold the batch norms of ``block``, whose running statistics must count ``x`` once;
            by default ``block`` itself.
    """
    if not torch.is_grad_enabled():
        return block(x)
    holders = norms_of or (block,)
    return checkpoint(block, x, use_reentrant=False, context_fn=lambda: (nullcontext(), _kept_norms(holders)))


@contextmanager
def _kept_norms(holders: tuple[nn.Module, ...]) -> Iterator[None]:
    modules = (m for holder in holders for m in holder.modules())
    norms = [m for m in modules if isinstance(m, _BatchNorm) and m.training and m.track_running_stats]
    kept = [(norm, norm.momentum, norm.num_batches_tracked.clone()) for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum, batches in kept:
            norm.momentum = momentum
            norm.num_batches_tracked.copy_(batches)
