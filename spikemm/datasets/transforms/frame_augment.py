"""Augmentations of clips of event frames; stock transforms of mmcv and mmpretrain do the rest."""

from functools import partial

import numpy as np
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness

from spikemm.datasets.transforms.event_augment import refuse_annotations
from spikemm.registry import TRANSFORMS

MIN_CUTOUT = 0.001  # share of the image


@TRANSFORMS.register_module()
class SNNAugmentWide(BaseTransform):
    """Apply one operation, drawn with its magnitude for each clip, to all time steps of the clip alike.

    TrivialAugment with the operations that make sense for event frames. Each is as likely as the others, and its
    magnitude is drawn uniformly between the largest and its negative. Pixels keep their values (nearest neighbour);
    those that come from outside the image are 0.

    - 'identity': nothing; its magnitude means nothing.
    - 'shear_x', 'rotate': about the centre, by at most so many degrees.
    - 'translate_x', 'translate_y': by at most so many pixels, whole ones.
    - 'roll': along both axes, by at most so many pixels, whole ones; what leaves on one side comes in on the other.
    - 'cutout': set a square, anywhere inside, to 0; its area is 0.1 % of the image at least and that share at most.

    The default is the recipe of Spikformer for CIFAR10-DVS (`code <https://github.com/ZK-Zhou/spikformer>`_, in frames
    of 128 x 128 pixels); that of Spike-driven Transformer is the same without the cutout (64 x 64). Both draw from 31
    equal steps and call the shear 0.3, in radians. `Neuromorphic Data Augmentation for Training Spiking Neural Networks
    <https://arxiv.org/abs/2203.06145>`_ has in its code, for frames of 48 x 48 pixels, ``dict(roll=5, rotate=30,
    shear_x=30)`` for CIFAR10-DVS and ``dict(roll=3, rotate=15, shear_x=15)`` for N-Caltech101.

    Example::

        train_pipeline = [..., dict(type='spikemm.EventFrames', T=16), dict(type='RandomFlip', prob=0.5),
                          dict(type='spikemm.SNNAugmentWide'), dict(type='PackInputs')]

    Args:
        operations: Operation to its largest magnitude.

    Raises:
        ValueError: ``operations`` has unknown ones, none or a negative magnitude, or a sample has boxes or masks.
    """

    def __init__(
        self,
        operations: dict[str, float] = dict(
            identity=0, shear_x=17.19, translate_x=5, translate_y=5, rotate=30, cutout=0.11),
    ) -> None:
        if not operations or set(operations) - set(OPERATIONS):
            raise ValueError(f'`operations` must be of {tuple(OPERATIONS)}, but got {operations!r}.')
        if min(operations.values()) < 0:
            raise ValueError(f'`operations` must have magnitudes of at least 0, but got {operations!r}.')
        if not MIN_CUTOUT <= operations.get('cutout', 1) <= 1:
            raise ValueError(f'`operations` must have a cutout in [{MIN_CUTOUT}, 1], a share of the image, but got '
                             f'{operations!r}.')
        self.operations = dict(operations)

    @cache_randomness
    def _draw(self) -> tuple[str, np.ndarray]:
        return str(np.random.choice(list(self.operations))), np.random.rand(3)

    def transform(self, results: dict) -> dict:
        refuse_annotations(results, type(self).__name__)
        name, drawn = self._draw()
        frames = results['img'].transpose(2, 0, 1)  # [T * C, H, W], as it lies in memory after EventFrames
        results['img'] = OPERATIONS[name](frames, self.operations[name], drawn).transpose(1, 2, 0)
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(operations={self.operations})'


def leave(frames: np.ndarray, largest: float, drawn: np.ndarray) -> np.ndarray:
    return frames


def shear_x(frames: np.ndarray, largest: float, drawn: np.ndarray) -> np.ndarray:
    slope = np.tan(np.deg2rad(spread(drawn[0], largest)))
    return warp(frames, np.array([[1, slope], [0, 1]]))


def rotate(frames: np.ndarray, largest: float, drawn: np.ndarray) -> np.ndarray:
    angle = np.deg2rad(spread(drawn[0], largest))
    return warp(frames, np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]))


def translate(frames: np.ndarray, largest: float, drawn: np.ndarray, axis: int) -> np.ndarray:
    shift = spread_whole(drawn[0], largest)
    moved = np.roll(frames, shift, axis)
    moved.swapaxes(0, axis)[slice(None, shift) if shift >= 0 else slice(shift, None)] = 0
    return moved


def roll(frames: np.ndarray, largest: float, drawn: np.ndarray) -> np.ndarray:
    return np.roll(frames, (spread_whole(drawn[0], largest), spread_whole(drawn[1], largest)), (1, 2))


def cutout(frames: np.ndarray, largest: float, drawn: np.ndarray) -> np.ndarray:
    height, width = frames.shape[1:]
    area = MIN_CUTOUT + drawn[0] * (largest - MIN_CUTOUT)
    side = min(max(round((area * height * width) ** 0.5), 1), height, width)
    top, left = int(drawn[1] * (height - side + 1)), int(drawn[2] * (width - side + 1))
    cut = frames.copy()
    cut[:, top:top + side, left:left + side] = 0
    return cut


OPERATIONS = dict(
    identity=leave, shear_x=shear_x, translate_x=partial(translate, axis=2),
    translate_y=partial(translate, axis=1), rotate=rotate, roll=roll, cutout=cutout)
"""Operation of :class:`SNNAugmentWide` to its function, of frames ``[T * C, H, W]``, the largest magnitude and three
numbers in [0, 1); it returns new frames."""


def spread(drawn: float, largest: float) -> float:
    """Return the magnitude, of either sign, that a number in [0, 1) stands for."""
    return (2 * drawn - 1) * largest


def spread_whole(drawn: float, largest: float) -> int:
    """Return the whole magnitude, of either sign, that a number in [0, 1) stands for; each is as likely."""
    return int(drawn * (2 * int(largest) + 1)) - int(largest)


def warp(frames: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Return frames in which pixel (x, y), from the centre, is the nearest to ``matrix @ (x, y)`` in the old ones.

    Indexed once for all time steps: OpenCV warps no more than four channels at a time.

    Args:
        frames: Shape ``[T * C, H, W]``.
        matrix: Shape ``[2, 2]``.
    """
    height, width = frames.shape[1:]
    centre = np.array([[width - 1], [height - 1]]) / 2
    y, x = np.divmod(np.arange(height * width), width)
    x, y = np.rint(matrix @ (np.stack((x, y)) - centre) + centre).astype(int)
    outside = (x < 0) | (x >= width) | (y < 0) | (y >= height)
    warped = frames.reshape(len(frames), -1).take(np.where(outside, 0, y * width + x), axis=1)
    warped[:, outside] = 0
    return warped.reshape(frames.shape)
