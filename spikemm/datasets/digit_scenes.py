"""DigitScenes, the built-in data: real handwritten digits on real photographs, composed by seed.

The digits are scikit-learn's ``load_digits`` (1797 images, 8x8), the photographs its ``load_sample_images`` (two,
427x640), so nothing is downloaded and nothing is stored in the repository. Train and val share no handwritten digit and
no region of a photograph. (They share the writers, whom scikit-learn does not name.)

A scene is made of parts that every task reuses: :func:`split_sources` says which digits a split may show,
:class:`Photographs` cuts backgrounds, :func:`digit_sprite` draws a digit as an alpha mask and :func:`paste` puts it on
a background in an ink that can be read there. Images are RGB until they are written.

The same arguments give the same bytes on one machine, under the same versions of numpy, opencv and scikit-learn.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
from sklearn.datasets import load_digits, load_sample_images

VERSION = 1  # raise it whenever the same arguments give other images: existing folders are then made anew
CLASSES = tuple('0123456789')
SPLITS = ('train', 'val')
MANIFEST = 'manifest.json'

TRAIN_SHARE = 0.8  # of the handwritten digits of each class
PHOTO_CUTS = (208, 272)  # column in china.jpg and in flower.jpg: val is left of it, train right; each has all textures
MIN_SIZE, MAX_SIZE = 16, 192  # below, a digit cannot be read; above, a val background would be enlarged

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


def digit_sprite(grey: np.ndarray, height: float, rng: np.random.Generator) -> np.ndarray:
    """Draw a handwritten digit as an alpha mask, turned, slanted and stretched at random.

    Args:
        grey: The digit, ``[8, 8]``, 0 is paper.
        height: Height that the 8x8 grid is scaled to, in pixels.

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
    alpha = np.clip((smooth - 0.35) / 0.35, 0, 1)
    rows, columns = np.flatnonzero(alpha.any(1)), np.flatnonzero(alpha.any(0))
    return alpha[rows[0]:rows[-1] + 1, columns[0]:columns[-1] + 1]


def choose_ink(background: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Choose a random colour, darker or brighter than every pixel of the background by ``MIN_CONTRAST``."""
    luma = background @ LUMA
    dark, bright = luma.min() - MIN_CONTRAST, luma.max() + MIN_CONTRAST
    ranges = [(low, high) for low, high in ((0, dark), (bright, 255)) if low <= high]
    # rounding to uint8 can cost the last level of room: black or white then
    level = rng.uniform(*ranges[rng.integers(len(ranges))]) if ranges else 255 * (dark + bright < 255)
    hue = rng.normal(size=3)
    hue -= hue @ LUMA  # adding it leaves the luma as it is
    reach = np.where(hue > 0, 255 - level, -level) / hue
    return level + rng.uniform() * reach.min() * hue


def paste(canvas: np.ndarray, alpha: np.ndarray, top: int, left: int, rng: np.random.Generator) -> None:
    """Put a sprite on an RGB canvas, in place."""
    window = canvas[top:top + alpha.shape[0], left:left + alpha.shape[1]]
    ink = choose_ink(window, rng)
    window[:] = (window + alpha[..., None] * (ink - window)).round()


def digit_image(grey: np.ndarray, photographs: Photographs, size: int, rng: np.random.Generator) -> np.ndarray:
    """Compose one image of the classification part: one digit, wholly inside, on one background."""
    canvas = photographs.crop(size, rng)
    alpha = digit_sprite(grey, rng.uniform(0.55, 0.8) * size, rng)
    top, left = (rng.integers(room + 1) for room in np.subtract(canvas.shape[:2], alpha.shape))
    paste(canvas, alpha, top, left, rng)
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
    check_arguments(seed=seed, size=size, num_train=num_train, num_val=num_val)
    folder = Path(out) / 'classification'
    manifest = plan_classification(seed, size, {'train': num_train, 'val': num_val})
    if is_complete(folder, manifest):
        return folder
    images = load_digits().images
    with replacing(folder) as new:
        for number, split in enumerate(SPLITS):
            photographs = Photographs(split)
            for label, (name, indices) in enumerate(manifest['sources'][split].items()):
                class_folder = new / split / name
                class_folder.mkdir(parents=True)
                for i, index in enumerate(indices):
                    rng = np.random.default_rng((seed, number, label, i))
                    image = digit_image(images[index], photographs, size, rng)
                    write_png(class_folder / f'{i:05d}.png', image)
        (new / MANIFEST).write_bytes(json.dumps(manifest).encode())
    return folder


def check_arguments(**arguments: int) -> None:
    """Refuse a number that :func:`generate_classification` cannot use."""
    lowest = {'seed': 0, 'size': MIN_SIZE, 'num_train': len(CLASSES), 'num_val': len(CLASSES)}
    highest = {'size': MAX_SIZE}
    for name, value in arguments.items():
        low, high = lowest[name], highest.get(name, 2**31 - 1)
        if not isinstance(value, int) or not low <= value <= high:
            raise ValueError(f'`{name}` must be an integer from {low} to {high}, but got {value!r}.')


def plan_classification(seed: int, size: int, counts: dict[str, int]) -> dict:
    """Decide which handwritten digit every image shows; the result is the manifest."""
    shown = {}
    for split, digits_by_class in split_sources(seed).items():
        share, rest = divmod(counts[split], len(CLASSES))
        shown[split] = {name: np.resize(digits, share + (label < rest)).tolist()  # repeats the digits as needed
                        for label, (name, digits) in enumerate(zip(CLASSES, digits_by_class, strict=True))}
    return {'name': 'DigitScenes', 'part': 'classification', 'version': VERSION,
            'seed': seed, 'size': size, 'counts': counts, 'sources': shown}


def is_complete(folder: Path, manifest: dict) -> bool:
    """Whether a folder was made to this manifest and still holds as many images."""
    path = folder / MANIFEST
    if not path.is_file() or path.read_bytes() != json.dumps(manifest).encode():
        return False
    return all(len(list((folder / split).glob('*/*.png'))) == count for split, count in manifest['counts'].items())


@contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """Give an empty folder to fill. It takes the place of ``folder`` when the block ends without an error."""
    if folder.exists() and any(folder.iterdir()) and not (folder / MANIFEST).is_file():
        raise FileExistsError(f'{folder} holds other files: it has no {MANIFEST}. Remove it or choose another folder.')
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f'.{folder.name}-', dir=folder.parent) as temporary:
        new = Path(temporary) / 'new'
        new.mkdir()
        yield new
        if folder.exists():
            folder.rename(Path(temporary) / 'old')
        new.rename(folder)


def write_png(path: Path, image: np.ndarray) -> None:
    path.write_bytes(cv2.imencode('.png', image[..., ::-1])[1])
