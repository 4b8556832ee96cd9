"""The parts of a scene: who may appear in which split, backgrounds, digits, ink. Images are RGB until written."""

import cv2
import numpy as np
from sklearn.datasets import load_digits, load_sample_images

CLASSES = tuple('0123456789')
SPLITS = ('train', 'val')

TRAIN_SHARE = 0.8  # of the handwritten digits of each class
PHOTO_CUTS = (208, 272)  # column in china.jpg and in flower.jpg: val is left of it, train right; each has all textures
MAX_SIZE = 192  # of an image; above, a val background would be enlarged

LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601, for RGB
MIN_CONTRAST = 70  # luma between the ink and every pixel below it
MAX_SPREAD = 100  # luma range of a background; leaves at least (255 - 100) / 2 > MIN_CONTRAST for the ink


def split_sources(seed: int) -> dict[str, list[np.ndarray]]:
    """Split the handwritten digits of each class between train and val.

    Returns:
        For each split, per class, the indices into ``load_digits().images`` in random order.
    """
    rng = np.random.default_rng(seed)
    sources = {split: [] for split in SPLITS}
    target = load_digits().target
    for label in range(len(CLASSES)):
        order = rng.permutation(np.flatnonzero(target == label))
        train, val = np.split(order, [round(TRAIN_SHARE * len(order))])
        sources['train'].append(train)
        sources['val'].append(val)
    return sources


class Photographs:
    """Backgrounds: random crops from the part of the photographs that belongs to a split.

    Args:
        split: 'train' or 'val'.
    """

    def __init__(self, split: str) -> None:
        photos = zip(load_sample_images().images, PHOTO_CUTS, strict=True)
        self.regions = [photo[:, :cut] if split == 'val' else photo[:, cut:] for photo, cut in photos]

    def crop(self, size: int, rng: np.random.Generator) -> np.ndarray:
        """Cut a square of one to four times ``size`` and shrink it to ``[size, size, 3]``, RGB uint8."""
        region = self.regions[rng.integers(len(self.regions))]
        height, width = region.shape[:2]
        side = rng.integers(size, min(4 * size, height, width) + 1)
        top, left = rng.integers(height - side + 1), rng.integers(width - side + 1)
        crop = cv2.resize(region[top:top + side, left:left + side], (size, size), interpolation=cv2.INTER_AREA)
        return limit_spread(crop[:, ::rng.choice((-1, 1))])


def limit_spread(image: np.ndarray) -> np.ndarray:
    """Reduce the contrast of an RGB image until its luma spans at most ``MAX_SPREAD``; the hues stay."""
    luma = image @ LUMA
    low, high = np.percentile(luma, (2, 98))
    middle, half = (low + high) / 2, MAX_SPREAD / 2
    gain = min(1, MAX_SPREAD / max(high - low, 1))
    wanted = middle + np.clip((luma - middle) * gain, -half, half)
    return np.clip(image + (wanted - luma)[..., None], 0, 255).round().astype(np.uint8)


def digit_sprite(grey: np.ndarray, height: float, rng: np.random.Generator, ramp: float = 0.35) -> np.ndarray:
    """Draw a handwritten digit as an alpha mask, turned, slanted and stretched at random.

    Args:
        grey: The digit, ``[8, 8]``, 0 is paper.
        height: Height that the 8x8 grid is scaled to, in pixels.
        ramp: Range of grey, of 1, over which paper turns into ink. Small: sharp edges, and faint strokes are full ink.

    Returns:
        Opacity between 0 and 1, float32, cut to the box of the digit.
    """
    angle, slant, stretch = rng.uniform(-0.2, 0.2), rng.uniform(-0.15, 0.15), rng.uniform(0.85, 1.1)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = turn @ np.array([[stretch, slant], [0, 1]]) * (height / 8)
    side = int(np.ceil(1.5 * height))
    shift = (side - 1) / 2 - matrix @ np.array([3.5, 3.5])  # the middle of the grid stays in the middle
    smooth = cv2.warpAffine((grey / grey.max()).astype(np.float32), np.column_stack([matrix, shift]), (side, side),
                            flags=cv2.INTER_CUBIC)
    alpha = np.clip((smooth - 0.35) / ramp, 0, 1)
    rows, columns = np.flatnonzero(alpha.any(1)), np.flatnonzero(alpha.any(0))
    return alpha[rows[0]:rows[-1] + 1, columns[0]:columns[-1] + 1]


def contrast(pixels: np.ndarray, ink: np.ndarray) -> float:
    """Give the smallest difference in luma between an ink and any of the pixels."""
    return np.abs(pixels @ LUMA - ink @ LUMA).min()


def choose_ink(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Choose a random colour that differs in luma from every pixel by ``MIN_CONTRAST``.

    Args:
        pixels: RGB, ``[..., 3]``. Those of a background always leave such a colour; where there is none, the result is
            black or white.
    """
    luma = np.sort((pixels @ LUMA).ravel())
    lows, highs = np.append(0, luma + MIN_CONTRAST), np.append(luma - MIN_CONTRAST, 255)
    ranges = np.column_stack((lows, highs))[lows <= highs]  # below, between and above the pixels
    # rounding to uint8 can cost the last level of room: black or white then
    level = rng.uniform(*ranges[rng.integers(len(ranges))]) if len(ranges) else 255 * (luma[0] + luma[-1] < 255)
    hue = rng.normal(size=3)
    hue -= hue @ LUMA  # adding it leaves the luma as it is
    reach = np.where(hue > 0, 255 - level, -level) / hue
    return level + rng.uniform() * reach.min() * hue


def paint(window: np.ndarray, alpha: np.ndarray, ink: np.ndarray) -> None:
    """Put ink on RGB pixels where a mask says how much, in place."""
    window[:] = (window + alpha[..., None] * (ink - window)).round()
