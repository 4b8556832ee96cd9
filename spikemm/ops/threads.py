"""Run a compiled kernel on torch's own threads.

A second pool beside torch's would fight it for the cores: OpenMP's threads go on spinning for a while after each of
torch's operators. So the kernel joins torch's pool through the runtime that torch has loaded. Where that is another one
than GNU's (macOS, Windows) a thread pool of Python's does.
"""

import ctypes
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import torch

GRAIN = 32768  # elements below which a second thread costs more than it saves

_Team = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


def parallel_for(kernel: Callable, n: int, *args, grain: int = GRAIN) -> None:
    """Call ``kernel(lo, hi, *args)`` over parts of ``range(n)``, on at most as many threads as torch uses.

    Args:
        kernel: Compiled function that releases the GIL.
        n: Length of the range.
        *args: Further arguments, the same for every part.
        grain: Smallest part worth a thread.
    """
    threads = min(torch.get_num_threads(), max(1, n // grain))
    if threads == 1:
        kernel(0, n, *args)
        return
    step = -(-n // threads)
    parts = [(lo, min(lo + step, n)) for lo in range(0, n, step)]
    errors = []

    def work(_) -> None:
        try:
            while parts:
                kernel(*parts.pop(), *args)
        except Exception as error:  # one that left a callback of C would be lost
            errors.append(error)

    _run_team(work, threads)
    if errors:
        raise errors[0]


def _run_team(work: Callable, threads: int) -> None:
    runtime = _openmp()
    if runtime is not None:
        runtime.GOMP_parallel(_Team(work), None, threads, 0)
        return
    jobs = [_pool().submit(work, None) for _ in range(threads - 1)]
    work(None)
    for job in jobs:
        job.result()


@cache
def _openmp() -> ctypes.CDLL | None:
    """The OpenMP runtime that torch runs on, if it is already loaded and has GNU's interface."""
    if not hasattr(os, 'RTLD_NOLOAD'):
        return None
    try:
        runtime = ctypes.CDLL('libgomp.so.1', mode=os.RTLD_NOLOAD | os.RTLD_NOW)
    except OSError:
        return None
    return runtime if hasattr(runtime, 'GOMP_parallel') else None


@cache
def _pool() -> ThreadPoolExecutor:
    os.register_at_fork(after_in_child=_pool.cache_clear)  # a forked data worker has none of its parent's threads
    return ThreadPoolExecutor(os.cpu_count(), thread_name_prefix='spikemm')
