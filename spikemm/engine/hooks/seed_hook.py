"""Make every random number of training a function of the seed and the position in the run."""

import random
from functools import partial

import numpy as np
import torch
from mmengine.dataset.utils import worker_init_fn
from mmengine.hooks import Hook
from mmengine.runner import BaseLoop, Runner
from torch import Tensor
from torch.utils.data import DataLoader, get_worker_info

from spikemm.registry import HOOKS

LOAD, STEP = range(2)  # what the random numbers are for


@HOOKS.register_module()
class SeedHook(Hook):
    """Let a resumed run continue with the random numbers that the uninterrupted run had there.

    mmengine restores the seed on ``resume``, not the state of the generators, not the data loader workers', and not the
    sampler's seed when ``randomness`` has none. Its workers also start every epoch alike, so that an epoch repeats the
    augmentation of the one before, unless they are persistent. Here the generators of the main process (dropout, mixup)
    are seeded by the number of finished iterations, and those of a worker by the batch that it is about to load.

    A resume is exact wherever the loop can continue: at the end of an epoch in an epoch-based run, after any iteration
    in an iteration-based run whose sampler can skip (``InfiniteSampler``). An epoch-based run resumed within an epoch
    starts that epoch anew and so repeats images, as in mmengine; gradients that were accumulated but not yet applied
    are lost.

    Example::

        custom_hooks = [dict(type='spikemm.SeedHook')]
    """

    priority = 'VERY_LOW'  # the last word before the next iteration

    def before_train(self, runner: Runner) -> None:
        loader = runner.train_dataloader
        sampler = getattr(loader.batch_sampler, 'sampler', loader.sampler)
        if hasattr(sampler, 'seed'):
            sampler.seed = runner.message_hub.runtime_info.get('sampler_seed', sampler.seed)  # is in the checkpoint
            runner.message_hub.update_info('sampler_seed', sampler.seed)
        self.start = torch.zeros((), dtype=torch.int64).share_memory_()
        if has_stock_worker_init(loader):  # what the user has chosen stays
            loader.worker_init_fn = partial(seed_batches, seed=runner.seed, rank=runner.rank, start=self.start)

    def before_train_epoch(self, runner: Runner) -> None:
        self.start.fill_(runner.iter)
        self._seed(runner, LOAD, runner.iter)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch=None) -> None:
        self._seed(runner, STEP, runner.iter)

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        self._seed(runner, LOAD, runner.iter + 1)

    def after_val_epoch(self, runner: Runner, metrics=None) -> None:
        if isinstance(runner._train_loop, BaseLoop):  # not in a validation alone
            self._seed(runner, LOAD, runner.iter)

    @staticmethod
    def _seed(runner: Runner, purpose: int, number: int) -> None:
        seed_all(runner.seed, purpose, number, runner.rank)  # the rank: no two may mix, drop or flip alike


def seed_all(*entropy: int) -> None:
    """Seed the global generators of Python, numpy and torch."""
    python, numpy, torch_low, torch_high = np.random.SeedSequence(entropy).generate_state(4).tolist()
    random.seed(python)
    np.random.seed(numpy)
    torch.manual_seed(torch_low + (torch_high << 32))


def has_stock_worker_init(loader: DataLoader) -> bool:
    return isinstance(loader.worker_init_fn, partial) and loader.worker_init_fn.func is worker_init_fn


def seed_batches(worker_id: int, seed: int, rank: int, start: Tensor) -> None:
    """Let this worker seed its generators before every batch, by the number of the batch in the run.

    Args:
        worker_id: Number of this worker; worker ``w`` of ``n`` loads the batches ``w``, ``w + n``, ``w + 2 n``...
        seed: Seed of the run.
        rank: Rank of the process that this worker belongs to.
        start: Iteration at which the main process began to go through the loader, in shared memory: persistent workers
            are not told of a new epoch otherwise.
    """
    worker = get_worker_info()
    dataset = worker.dataset
    fetch = getattr(dataset, '__getitems__', None) or (lambda indices: [dataset[index] for index in indices])
    since, batch = -1, 0

    def seeded_fetch(indices: list[int]) -> list:
        nonlocal since, batch
        if since != int(start):
            since, batch = int(start), int(start) + worker_id
        seed_all(seed, LOAD, batch, rank)
        batch += worker.num_workers
        return fetch(indices)

    dataset.__getitems__ = seeded_fetch  # what torch's fetcher calls with the indices of a batch, where it exists
