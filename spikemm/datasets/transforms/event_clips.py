"""Recordings that are distributed as pictures, one a time step, as HAR-DVS is: choose, read and split by polarity."""

import io
import os
import re

import mmcv
import numpy as np
from mmcv.transforms import BaseTransform
from mmengine import fileio
from PIL import Image

from spikemm.datasets.transforms.on_error import SkipOrRaise, explain
from spikemm.registry import TRANSFORMS

FRAME_SUFFIXES = '.png', '.jpg', '.jpeg', '.bmp'


@TRANSFORMS.register_module()
class SampleClip(SkipOrRaise, BaseTransform):
    """Choose ``T`` consecutive frames of a recording.

    The frames are ``results['frame_paths']`` or, without that, the pictures in the folder ``results['frame_dir']`` in
    natural order, 2 before 10. Of a recording with fewer, the time steps at the end are None in
    ``results['frame_paths']``, which the transforms behind make empty.

    Example::

        train_pipeline = [dict(type='spikemm.SampleClip', T=8, on_error='skip'), dict(type='spikemm.LoadFrames'),
                          dict(type='spikemm.GreyToPolarity'), dict(type='PackInputs')]

    Args:
        T: Time steps of the clip.
        start: 'random', or where the clip lies between the first possible one (0) and the last (1); 0.5 is the middle.
        on_error: 'raise' or 'skip', for recordings without a frame; see :class:`LoadImage`.
    """

    def __init__(self, *, T: int = 8, start: str | float = 'random', on_error: str = 'raise') -> None:
        super().__init__(on_error=on_error)
        if not isinstance(T, int) or isinstance(T, bool) or T < 1:
            raise ValueError(f'`T` must be a positive integer, but got {T!r}.')
        if start != 'random' and not (isinstance(start, int | float) and 0 <= start <= 1):
            raise ValueError(f"`start` must be 'random' or a number from 0 to 1, but got {start!r}.")
        self.T = T
        self.start = start

    def transform(self, results: dict) -> dict | None:
        paths, folder = results.get('frame_paths'), results.get('frame_dir')
        if paths is None:
            try:
                paths = list_frames(folder)
            except OSError as error:
                return self.refuse('recording', folder, explain(folder, error), error)
        if not paths:
            return self.refuse('recording', str(folder), f'it has no frame ({", ".join(FRAME_SUFFIXES)})')
        spare = max(len(paths) - self.T, 0)
        first = np.random.randint(spare + 1) if self.start == 'random' else round(self.start * spare)
        clip = paths[first:first + self.T]
        return {**results, 'frame_paths': [*clip, *[None] * (self.T - len(clip))]}

    def __repr__(self) -> str:
        return f'{type(self).__name__}(T={self.T}, start={self.start!r}, on_error={self.on_error!r})'


@TRANSFORMS.register_module()
class LoadFrames(SkipOrRaise, BaseTransform):
    """Read the frames ``results['frame_paths']`` as one grey image ``[H, W, T]``, uint8, a channel a time step.

    Transforms for images then treat a clip as one image: a flip or a crop is the same at all time steps. Where the path
    is None, the frame is 0. Frames of more than 8 bits are refused: Pillow would make most of their values 255.

    Args:
        on_error: 'raise' or 'skip', for frames that cannot be read or differ in size; see :class:`LoadImage`.
    """

    def transform(self, results: dict) -> dict | None:
        frames = []
        if not any(results['frame_paths']):
            return self.refuse('recording', results.get('frame_dir', ''), '`frame_paths` has no frame')
        for path in filter(None, results['frame_paths']):
            try:
                frames.append(read_grey(path))
            except Exception as error:  # file backends and decoders have no common error class
                return self.refuse('frame', path, explain(path, error), error)
            height, width = frames[0].shape
            if frames[-1].shape != (height, width):
                found = frames[-1].shape
                reason = f'it is {found[1]} x {found[0]} pixels, the first of its clip {width} x {height}'
                return self.refuse('frame', path, reason)
        missing = len(results['frame_paths']) - len(frames)
        img = np.stack([*frames, *[np.zeros_like(frames[0])] * missing], axis=-1)
        return {**results, 'img': img, 'img_shape': img.shape[:2], 'ori_shape': img.shape[:2]}

    def __repr__(self) -> str:
        return f'{type(self).__name__}(on_error={self.on_error!r})'


@TRANSFORMS.register_module()
class GreyToPolarity(BaseTransform):
    """Split grey frames ``[H, W, T]`` into polarities, ``[H, W, T * 2]`` with channel ``t * 2 + c``, 0 or 1.

    With a grey value g from 0 (black) to 1, c = 0 is g < ``off`` and c = 1 is ``on[0]`` < g <= ``on[1]``; the
    background is brighter. The defaults are those of `Meta-SpikeFormer
    <https://github.com/BICLab/Spike-Driven-Transformer-V3>`_ for the event images of HAR-DVS. Time steps whose frame is
    missing (:class:`SampleClip`) are empty: black would be an event at every pixel.

    Args:
        off: Grey value below which a pixel is an OFF event.
        on: Grey values between which a pixel is an ON event.
    """

    def __init__(self, *, off: float = 0.12, on: tuple[float, float] = (0.3, 0.78)) -> None:
        if not 0 <= off <= on[0] < on[1] <= 1:
            raise ValueError(f'`off` and `on` must be 0 <= off <= on[0] < on[1] <= 1, but got {off!r} and {on!r}.')
        self.off, self.on = off, tuple(on)
        grey = np.arange(256) / 255
        self.polarities = np.stack([grey < off, (grey > on[0]) & (grey <= on[1])], axis=1).astype(np.float32)

    def transform(self, results: dict) -> dict:
        grey = results['img']
        if grey.dtype != np.uint8 or grey.ndim != 3:
            raise TypeError(f'`img` must be uint8 [H, W, T], but got {grey.dtype} {list(grey.shape)}.')
        img = self.polarities[grey]  # [H, W, T, 2]
        img[:, :, [path is None for path in results.get('frame_paths', [''] * grey.shape[2])]] = 0
        return {**results, 'img': img.reshape(*grey.shape[:2], -1)}

    def __repr__(self) -> str:
        return f'{type(self).__name__}(off={self.off}, on={self.on})'


def read_grey(path: str) -> np.ndarray:
    """Read a picture as grey values, uint8, ``[H, W]``.

    Raises:
        ValueError: Its pixels have more than 8 bits.
    """
    content = fileio.get(path)
    with Image.open(io.BytesIO(content)) as image:  # reads the header only
        if image.mode.startswith(('I', 'F')):
            raise ValueError(f'its pixels must have 8 bits, but it has the mode {image.mode}')
    return mmcv.imfrombytes(content, flag='grayscale', backend='pillow')


def list_frames(folder: str) -> list[str]:
    """Return the paths of the pictures in a folder, in natural order."""
    return [os.path.join(folder, name) for name in sorted(os.listdir(folder), key=natural_key)
            if name.lower().endswith(FRAME_SUFFIXES)]


def natural_key(name: str) -> list[str | int]:
    """Return a sorting key by which numbers in names count as numbers: 'frame2' before 'frame10'."""
    return [int(part) if i % 2 else part for i, part in enumerate(re.split('([0-9]+)', name))]
