"""Checkpoints are loaded as data: a file that would have to run code is refused, with the reason.

``import spikemm`` puts :func:`load_file` and :func:`load_url` into mmengine's loaders, so everything that loads a
checkpoint by name goes through here: ``--resume``, ``load_from``, ``init_cfg=dict(type='Pretrained', ...)`` and the
inferencers.
"""

import os
import pickle
import re
from contextlib import contextmanager

import numpy as np
import torch
from mmengine.logging import HistoryBuffer

TRUST = 'SPIKEMM_TRUST_CHECKPOINT'
"""Environment variable that allows unpickling anything; the tools set it for ``--trust-checkpoint``."""


def history_method(owner: type, name: str):
    """Stand in for ``getattr``, by which the pickle of a HistoryBuffer names its statistics.

    The real one would hand a hostile file the attributes of every object that it can name.
    """
    if owner is not HistoryBuffer or name not in HistoryBuffer._statistics_methods:
        raise pickle.UnpicklingError(f'Unsupported attribute: {name!r} of {owner!r}.')
    return getattr(owner, name)


def safe_types() -> list:
    """Return what a checkpoint of mmengine holds beside tensors: logged numbers and numpy data.

    numpy 2 calls ``numpy.core`` ``numpy._core``; files written under numpy 1 have the old name.
    """
    functions = (np._core.multiarray._reconstruct, np._core.multiarray.scalar)
    aliases = [(f, f'numpy.{core}.multiarray.{f.__name__}') for f in functions for core in ('core', '_core')]
    dtypes = {type(np.dtype(code)) for code in '?bBhHiIlLqQefdFDSU'}
    HistoryBuffer()  # the first one fills in the statistics
    return [HistoryBuffer, np.ndarray, np.dtype, slice, (history_method, 'builtins.getattr'), *aliases, *dtypes]


@contextmanager
def refusal_explained(name: str):
    """Turn torch's long advice on a refused file into the reason and the one remedy."""
    try:
        with torch.serialization.safe_globals(safe_types()):
            yield
    except pickle.UnpicklingError as error:
        text = str(error)
        found = re.search(r'GLOBAL (\S+)', text) or re.search(r'WeightsUnpickler error: (.+)', text)
        reason = found[1] if found else text
        raise pickle.UnpicklingError(
            f'Refused to load {name!r}: it is not a plain file of weights ({reason}); unpickling it can run any code. '
            f'If you trust its origin, run the tool with --trust-checkpoint or set {TRUST}=1.'
        ) from None


def trusted() -> bool:
    return os.environ.get(TRUST) == '1'


def load_file(file, map_location=None):
    """Load a checkpoint file or stream.

    Raises:
        pickle.UnpicklingError: It holds objects that are not on the list of :func:`safe_types`.
    """
    with refusal_explained(str(getattr(file, 'name', file))):
        return torch.load(file, map_location=map_location, weights_only=not trusted())


def load_url(url: str, model_dir: str | None = None, map_location=None, progress: bool = True):
    """Download a checkpoint and load it as :func:`load_file` does."""
    with refusal_explained(url):
        return torch.hub.load_state_dict_from_url(url, model_dir, map_location, progress, weights_only=not trusted())
