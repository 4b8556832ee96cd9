"""The events part: recordings of digits that an event camera has seen moving."""

from pathlib import Path

import cv2
import numpy as np
from sklearn.datasets import load_digits

from spikemm.datasets.digit_scenes.classification import RANGES as IMAGE_RANGES
from spikemm.datasets.digit_scenes.classification import plan_classification
from spikemm.datasets.digit_scenes.event_camera import record
from spikemm.datasets.digit_scenes.folders import check_integers, is_complete, replacing
from spikemm.datasets.digit_scenes.parts import LUMA, SPLITS, Photographs, choose_ink, digit_sprite
from spikemm.datasets.events import write_atis

VERSION = 1  # raise it whenever the same arguments give other recordings: existing folders are then made anew
RANGES = {**IMAGE_RANGES, 'size': (24, IMAGE_RANGES['size'][1])}

SACCADES = np.array([[0.0, 0.0], [0.5, 1.0], [1.0, 0.0], [0.0, 0.0]])  # corners of the path: x and y
REACH = 0.1  # length of the path's sides, as a share of the image
TREMBLE = 0.1  # deviation of a corner from its place, as a share of the path
DURATION = 300_000  # of a recording, in us
IMAGES = 37  # rendered for it: twelve for each saccade
HEIGHTS = (0.5, 0.7)  # of the digits, as a share of the image


def film_digit(grey: np.ndarray, photographs: Photographs, size: int, rng: np.random.Generator) -> np.ndarray:
    """Render a digit that moves along three saccades over a still background.

    Returns:
        Luma, ``[IMAGES, size, size]``.
    """
    background = photographs.crop(size, rng)
    alpha = digit_sprite(grey, rng.uniform(*HEIGHTS) * size, rng)
    ink = choose_ink(background, rng) @ LUMA
    path = walk(size, rng)
    first, last = 1 - path.min(0), size - 2 - np.array(alpha.shape[::-1]) - path.max(0)  # where the path can begin
    places = path + rng.uniform(first, np.maximum(first, last))
    luma = background @ LUMA
    film = np.empty((IMAGES, size, size))
    for image, (x, y) in zip(film, places, strict=True):
        opacity = cv2.warpAffine(alpha, np.array([[1, 0, x], [0, 1, y]]), (size, size))
        image[:] = luma + opacity * (ink - luma)
    return film


def walk(size: int, rng: np.random.Generator) -> np.ndarray:
    """Return the places of a digit along its path, x and y in pixels, ``[IMAGES, 2]``."""
    corners = (SACCADES + rng.normal(0, TREMBLE, SACCADES.shape)) * REACH * size
    at = np.linspace(0, len(corners) - 1, IMAGES)
    return np.column_stack([np.interp(at, np.arange(len(corners)), axis) for axis in corners.T])


def generate_events(out: str | Path = 'data/digit_scenes', *, seed: int = 0, size: int = 32,
                    num_train: int = 10000, num_val: int = 2000) -> Path:
    """Make ``{out}/events/{train,val}/{0..9}/NNNNN.bin``, recordings of one moving digit each.

    A digit moves along three saccades over a still photograph, much as N-MNIST was recorded, for 0.3 s, and a simulated
    event camera (:mod:`spikemm.datasets.digit_scenes.event_camera`) sees it. The files have the format of N-MNIST,
    which :func:`spikemm.datasets.events.read_events` reads.

    A folder made with the same arguments is left as it is, another one is replaced. The folder appears under its name
    when it is complete, not before. Its ``manifest.json`` holds the arguments and the handwritten digit in every
    recording.

    Args:
        out: Folder of the DigitScenes data.
        seed: Decides the split and every recording.
        size: Height and width of the sensor, in pixels.
        num_train: Number of training recordings; each handwritten digit is shown about equally often.
        num_val: Number of validation recordings.

    Returns:
        The path of the folder.

    Raises:
        ValueError: An argument is out of range.
        FileExistsError: The folder is there and was not made by this function.
    """
    check_integers(RANGES, seed=seed, size=size, num_train=num_train, num_val=num_val)
    folder = Path(out) / 'events'
    counts = {'train': num_train, 'val': num_val}
    manifest = {**plan_classification(seed, size, counts), 'part': 'events', 'version': VERSION}
    if is_complete(folder, manifest, {f'{split}/*/*.bin': count for split, count in counts.items()}):
        return folder
    images, times = load_digits().images, np.linspace(0, DURATION, IMAGES)
    with replacing(folder, manifest) as new:
        for number, split in enumerate(SPLITS):
            photographs = Photographs(split)
            for label, (name, indices) in enumerate(manifest['sources'][split].items()):
                class_folder = new / split / name
                class_folder.mkdir(parents=True)
                for i, index in enumerate(indices):
                    rng = np.random.default_rng((seed, number, label, i, 3))
                    film = film_digit(images[index], photographs, size, rng)
                    write_atis(class_folder / f'{i:05d}.bin', record(film, times, rng))
    return folder
