"""Scenes of several digits, of several sizes, partly in front of each other: what detection and segmentation show."""

from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np
from sklearn.datasets import load_digits

from spikemm.datasets.digit_scenes.folders import MANY
from spikemm.datasets.digit_scenes.parts import (
    MAX_SIZE,
    MIN_CONTRAST,
    SPLITS,
    Photographs,
    choose_ink,
    contrast,
    digit_sprite,
    paint,
    split_sources,
)

VERSION = 1  # raise it whenever the same arguments give other scenes: existing folders are then made anew
RANGES = {'seed': (0, MANY), 'size': (64, MAX_SIZE), 'num_train': (1, MANY), 'num_val': (1, MANY)}

MAX_DIGITS = 6
EMPTY_EVERY = 50  # the last of so many images shows no digit
HEIGHTS = (0.15, 0.5)  # of the digits, as a share of the image
MIN_HEIGHT = 16  # of the digits, in pixels; smaller ones cannot be read
RAMP = 0.2  # for digit_sprite; a large one needs sharp edges
MIN_VISIBLE = 0.65  # of the ink of every digit; the rest may lie under later digits
MARGIN = 2  # pixels around the ink that it must stand out from, too
TRIES = 50  # of one digit, before the scene is begun anew


class Scene(NamedTuple):
    """What was painted.

    Attributes:
        image: RGB, uint8, ``[size, size, 3]``.
        owner: Which digit is seen at a pixel, by its number in the scene, and -1 for none, ``[size, size]``.
        mixed: Whether a pixel holds the ink of a digit that is not its owner, ``[size, size]``.
    """

    image: np.ndarray
    owner: np.ndarray
    mixed: np.ndarray


def compose(greys: list[np.ndarray], photographs: Photographs, size: int, rng: np.random.Generator) -> Scene:
    """Paint digits, given as ``[8, 8]`` grey images, one after the other on a background."""
    while True:
        scene = Scene(photographs.crop(size, rng), np.full((size, size), -1), np.zeros((size, size), bool))
        whole = np.zeros(len(greys))  # ink of each digit, seen or not, in pixels
        if all(any(add_digit(scene, whole, number, grey, rng) for _ in range(TRIES))
               for number, grey in enumerate(greys)):
            return scene


def sharpen(grey: np.ndarray) -> np.ndarray:
    """Strengthen the faint strokes of a digit and empty its holes: a large sprite shows when they are lost."""
    return np.minimum(grey + 1.2 * (grey - cv2.GaussianBlur(grey, (3, 3), 0.8, borderType=cv2.BORDER_CONSTANT)), 16)


def add_digit(scene: Scene, whole: np.ndarray, number: int, grey: np.ndarray, rng: np.random.Generator) -> bool:
    """Paint a digit of random size at a random place, in place, unless something could not be read afterwards.

    Args:
        scene: Where to paint.
        whole: The ink of each digit, in pixels; that of this one is filled in.
        number: Number of the digit in the scene.
        grey: The digit, ``[8, 8]``.

    Returns:
        Whether it was painted.
    """
    size = len(scene.image)
    low, high = max(MIN_HEIGHT, HEIGHTS[0] * size), HEIGHTS[1] * size
    sprite = digit_sprite(grey, low * (high / low)**rng.uniform(), rng, RAMP)
    top, left = (rng.integers(room + 1) for room in np.subtract(size, sprite.shape))
    alpha = np.zeros((size, size), np.float32)
    alpha[top:top + sprite.shape[0], left:left + sprite.shape[1]] = sprite

    ink = alpha >= 0.5
    whole[number] = ink.sum()
    seen = np.bincount(scene.owner[(scene.owner >= 0) & (alpha == 0)], minlength=number)
    if (seen[:number] < MIN_VISIBLE * whole[:number]).any():
        return False
    around = cv2.dilate(alpha, np.ones((2 * MARGIN + 1, 2 * MARGIN + 1))) > 0
    below = scene.image[around]
    colour = choose_ink(below, rng)
    if contrast(below, colour) < MIN_CONTRAST - 1:  # no colour stands out from all that is below
        return False

    paint(scene.image, alpha, colour)
    scene.owner[ink] = number
    scene.mixed[alpha > 0] = (alpha < 0.5)[alpha > 0]
    return True


def plan_scenes(part: str, seed: int, size: int, counts: dict[str, int]) -> dict:
    """Decide which handwritten digits every scene shows; the result is the manifest of a part."""
    shown = {}
    for number, (split, digits_by_class) in enumerate(split_sources(seed).items()):
        rng = np.random.default_rng((seed, number, 1))
        sizes = rng.integers(1, MAX_DIGITS + 1, counts[split])
        sizes[EMPTY_EVERY - 1::EMPTY_EVERY] = 0
        digits = np.concatenate(digits_by_class)
        rounds = -(-sizes.sum() // len(digits))
        order = np.concatenate([rng.permutation(digits) for _ in range(rounds)])  # each about equally often
        shown[split] = [indices.tolist() for indices in np.split(order, np.cumsum(sizes))[:-1]]
    return {'name': 'DigitScenes', 'part': part, 'version': VERSION,
            'seed': seed, 'size': size, 'counts': counts, 'sources': shown}


def make_scenes(manifest: dict, split: str) -> Iterator[tuple[list[int], Scene]]:
    """Make the scenes of a split; gives the classes of the digits, in the order of painting, and the scene."""
    data, photographs = load_digits(), Photographs(split)
    for i, indices in enumerate(manifest['sources'][split]):
        rng = np.random.default_rng((manifest['seed'], SPLITS.index(split), 2, i))
        scene = compose([sharpen(grey) for grey in data.images[indices]], photographs, manifest['size'], rng)
        yield data.target[indices].tolist(), scene
