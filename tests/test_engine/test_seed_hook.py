from types import SimpleNamespace

import numpy as np
import pytest
import torch

from spikemm.engine.hooks import SeedHook


@pytest.fixture(autouse=True)
def generators_as_they_were():
    states = np.random.get_state(), torch.get_rng_state()
    yield
    np.random.set_state(states[0])
    torch.set_rng_state(states[1])


def draws(rank: int, iteration: int) -> tuple[float, float, float]:
    """What augmentation, mixing and dropout draw in an iteration of a process."""
    runner = SimpleNamespace(seed=5, rank=rank, iter=iteration)
    hook = SeedHook()
    hook.after_train_iter(runner, 0)
    loaded = np.random.random()
    hook.before_train_iter(runner, 0)
    return loaded, np.random.random(), torch.rand(()).item()


def test_the_processes_of_a_run_draw_differently_and_each_the_same_again():
    seen = [draw for rank in (0, 1) for iteration in (3, 4) for draw in draws(rank, iteration)]
    assert len(set(seen)) == len(seen)
    assert draws(0, 3) == tuple(seen[:3])
