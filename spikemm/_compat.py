"""Repairs of the OpenMMLab forks that must be in place before their modules are used; ``import spikemm`` applies them.

None of them imports torch. A repair can go once the fork has no longer the fault named beside it.
"""

import logging
import os
import sys
import warnings
from collections.abc import Callable
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import mmengine.config.utils
import mmengine.fileio.file_client
import mmengine.logging
from mmengine.fileio import LocalBackend

CHECKPOINT_MODULE = 'mmengine.runner.checkpoint'


def apply() -> None:
    """Apply every repair; a second call changes nothing."""
    if LocalBackend.put is write_atomically:
        return
    # ``_base_ = 'mmseg::...'`` looks for a distribution 'mmsegmentation', which the fork is not called.
    mmengine.config.utils.MODULE2PACKAGE.update(mmseg='mmseg', spikemm='spikemm')
    # A checkpoint that does not fit on the disk would take the place of the good one of the same name.
    LocalBackend.put = write_atomically
    silence_imports()
    if CHECKPOINT_MODULE in sys.modules:
        load_strictly(sys.modules[CHECKPOINT_MODULE])
    else:
        sys.meta_path.insert(0, AfterImport(CHECKPOINT_MODULE, load_strictly))


def silence_imports() -> None:
    """Drop what the forks print at every start and no user can act upon."""
    print_log = mmengine.logging.print_log

    def print_log_from_info(msg, logger=None, level: int = logging.INFO) -> None:
        if logger is not None or level >= logging.INFO:  # without a logger mmengine prints at any level
            print_log(msg, logger, level)

    mmengine.logging.print_log = print_log_from_info
    mmengine.fileio.file_client.print_log = lambda *args, **kwargs: None  # mmengine deprecates what only itself uses
    warnings.filterwarnings('ignore', message='faster_coco_eval is not installed')


def write_atomically(self: LocalBackend, obj: bytes, filepath: str | Path) -> None:
    """Write a file so that at any moment, a full disk and a lost process included, it is the old or the new one.

    Raises:
        OSError: The bytes cannot be stored. A file that was there is unchanged, and nothing is left behind.
    """
    path = Path(os.path.realpath(filepath))  # a link keeps pointing to the file that is written
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f'.{path.name}.{os.getpid()}.tmp')
    try:
        with open(draft, 'wb') as file:
            file.write(obj)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except OSError as error:
        message = f'{error.strerror}; {len(obj)} bytes could not be stored, what was there before is unchanged'
        raise OSError(error.errno, message, str(filepath)) from error
    finally:
        draft.unlink(missing_ok=True)


def load_strictly(module: ModuleType) -> None:
    """Let mmengine's checkpoint loaders, which unpickle anything if need be, load with ``weights_only`` alone."""

    def from_file(file, map_location=None, weights_only=None):
        from spikemm.engine.checkpoint import load_file
        return load_file(file, map_location)

    def from_url(url, model_dir=None, map_location=None, progress=True):
        from spikemm.engine.checkpoint import load_url
        return load_url(url, model_dir, map_location, progress)

    module._safe_torch_load = from_file
    module.load_url = from_url


class AfterImport(MetaPathFinder):
    """Run an action on a module as soon as it has been imported, by whomever."""

    def __init__(self, name: str, action: Callable[[ModuleType], None]) -> None:
        self.name = name
        self.action = action

    def find_spec(self, fullname: str, path=None, target=None) -> ModuleSpec | None:
        if fullname != self.name:
            return None
        sys.meta_path.remove(self)
        spec = find_spec(fullname)
        execute = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            self.action(module)

        spec.loader.exec_module = exec_module
        return spec
