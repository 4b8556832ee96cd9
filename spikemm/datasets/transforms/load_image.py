"""Read an image file; a file that cannot be read is an error or is skipped and counted, as the config says."""

import logging
import multiprocessing
from functools import cache
from pathlib import Path

import numpy as np
from mmcv.transforms import LoadImageFromFile
from mmengine.logging import print_log

from spikemm.registry import TRANSFORMS


class SharedCount:
    """A count that every process started after it adds to; a copy is the same count."""

    def __init__(self) -> None:
        self._value = multiprocessing.Value('q', 0)

    def __deepcopy__(self, memo: dict) -> 'SharedCount':
        return self

    @property
    def value(self) -> int:
        return self._value.value

    def add_one(self) -> None:
        with self._value.get_lock():
            self._value.value += 1


@cache
def skipped_images() -> SharedCount:
    """The images that all :class:`LoadImage` of this process and of its data loader workers have skipped."""
    return SharedCount()  # made late: the start method of the workers is fixed by then


def explain(path: str, error: Exception) -> str:
    """Say in words why an image could not be read; the decoders' own messages seldom do."""
    if Path(path).is_file() and not Path(path).stat().st_size:
        return 'the file is empty'
    if isinstance(error, AssertionError):  # mmcv: the decoder gave nothing
        return 'the file is cut off or not an image'
    return str(error) or type(error).__name__


@TRANSFORMS.register_module()
class LoadImage(LoadImageFromFile):
    """Load an image as BGR, uint8, three channels, or say which file cannot be read and why.

    Grey images get three equal channels, of 16 bits the upper eight are kept, an alpha channel is dropped and the EXIF
    orientation is applied (all by OpenCV, as in mmpretrain's own loader). An image that is given as an array, as
    inferencers do, passes. A file is unreadable when it is missing, empty, cut off or fails to decode; damage that
    leaves a JPEG decodable is not found.

    In training, ``on_error='skip'`` logs a warning with the file and the reason, and the dataset puts a random other
    sample in its place; :class:`spikemm.engine.hooks.BadImageHook` reports how many. For val and test data use 'raise'
    and set ``test_mode=True``: leaving out samples would change the score, so the datasets of spikemm refuse it.

    Example::

        train_pipeline = [dict(type='spikemm.LoadImage', on_error='skip'), ...]
        test_pipeline = [dict(type='spikemm.LoadImage'), ...]

    Args:
        on_error: 'raise' or 'skip'.
        **kwargs: Arguments of mmcv's ``LoadImageFromFile``.
    """

    def __init__(self, *, on_error: str = 'raise', **kwargs) -> None:
        if on_error not in ('raise', 'skip'):
            raise ValueError(f"`on_error` must be 'raise' or 'skip', but got {on_error!r}.")
        super().__init__(**kwargs)
        self.on_error = on_error
        self.skipped = skipped_images() if on_error == 'skip' else None
        self._warned: set[str] = set()

    def transform(self, results: dict) -> dict | None:
        if isinstance(results.get('img'), np.ndarray):
            return results
        try:
            return super().transform(results)
        except Exception as error:  # file backends and decoders have no common error class
            path = results['img_path']
            reason = explain(path, error)
            if self.on_error == 'raise':
                raise ValueError(f'Cannot read the image {path} ({reason}). Repair or remove it, or skip such images '
                                 "in training with dict(type='spikemm.LoadImage', on_error='skip').") from error
        self.skipped.add_one()
        if path not in self._warned:  # once a process, not once an epoch
            self._warned.add(path)
            print_log(f'Skipped the image {path}, which cannot be read ({reason}).', 'current', logging.WARNING)
        return None

    def __repr__(self) -> str:
        return f'{super().__repr__()[:-1]}, on_error={self.on_error!r})'
