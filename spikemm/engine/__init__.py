"""Hooks, optimizers, and what training needs to be exact and safe."""

from spikemm.engine import cpu, hooks, optimizers

__all__ = ['cpu', 'hooks', 'optimizers']
