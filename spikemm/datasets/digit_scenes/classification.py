"""The classification part: an image folder, one digit an image."""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from spikemm.datasets.digit_scenes.folders import MANY, check_integers, is_complete, replacing, write_image
from spikemm.datasets.digit_scenes.parts import (
    CLASSES,
    MAX_SIZE,
    SPLITS,
    Photographs,
    choose_ink,
    digit_sprite,
    paint,
    split_sources,
)

VERSION = 1  # raise it whenever the same arguments give other images: existing folders are then made anew
RANGES = {'seed': (0, MANY), 'size': (16, MAX_SIZE),  # below 16, a digit cannot be read
          'num_train': (len(CLASSES), MANY), 'num_val': (len(CLASSES), MANY)}


def digit_image(grey: np.ndarray, photographs: Photographs, size: int, rng: np.random.Generator) -> np.ndarray:
    """Compose one image: one digit, wholly inside, on one background."""
    canvas = photographs.crop(size, rng)
    alpha = digit_sprite(grey, rng.uniform(0.55, 0.8) * size, rng)
    top, left = (rng.integers(room + 1) for room in np.subtract(canvas.shape[:2], alpha.shape))
    window = canvas[top:top + alpha.shape[0], left:left + alpha.shape[1]]
    paint(window, alpha, choose_ink(window, rng))
    return canvas


def generate_classification(out: str | Path = 'data/digit_scenes', *, seed: int = 0, size: int = 32,
                            num_train: int = 24000, num_val: int = 2000) -> Path:
    """Make the image folder ``{out}/classification/{train,val}/{0..9}/NNNNN.png``.

    A folder made with the same arguments is left as it is, another one is replaced. The folder appears under its name
    when it is complete, not before. Its ``manifest.json`` holds the arguments and the handwritten digit in every image.

    Args:
        out: Folder of the DigitScenes data.
        seed: Decides the split and every image.
        size: Height and width of the images, in pixels. The default costs a network least: the digits are 8x8.
        num_train: Number of training images; each handwritten digit is shown about equally often.
        num_val: Number of validation images.

    Returns:
        The path of the image folder.

    Raises:
        ValueError: An argument is out of range.
        FileExistsError: The folder is there and was not made by this function.
    """
    check_integers(RANGES, seed=seed, size=size, num_train=num_train, num_val=num_val)
    folder = Path(out) / 'classification'
    counts = {'train': num_train, 'val': num_val}
    manifest = plan_classification(seed, size, counts)
    if is_complete(folder, manifest, {f'{split}/*/*.png': count for split, count in counts.items()}):
        return folder
    images = load_digits().images
    with replacing(folder, manifest) as new:
        for number, split in enumerate(SPLITS):
            photographs = Photographs(split)
            for label, (name, indices) in enumerate(manifest['sources'][split].items()):
                class_folder = new / split / name
                class_folder.mkdir(parents=True)
                for i, index in enumerate(indices):
                    rng = np.random.default_rng((seed, number, label, i))
                    image = digit_image(images[index], photographs, size, rng)
                    write_image(class_folder / f'{i:05d}.png', image)
    return folder


def plan_classification(seed: int, size: int, counts: dict[str, int]) -> dict:
    """Decide which handwritten digit every image shows; the result is the manifest."""
    shown = {}
    for split, digits_by_class in split_sources(seed).items():
        share, rest = divmod(counts[split], len(CLASSES))
        shown[split] = {name: np.resize(digits, share + (label < rest)).tolist()  # repeats the digits as needed
                        for label, (name, digits) in enumerate(zip(CLASSES, digits_by_class, strict=True))}
    return {'name': 'DigitScenes', 'part': 'classification', 'version': VERSION,
            'seed': seed, 'size': size, 'counts': counts, 'sources': shown}
