"""The segmentation part: label maps as ADE20K has them."""

from pathlib import Path

import cv2
import numpy as np

from spikemm.datasets.digit_scenes.folders import check_integers, is_complete, replacing, write_image
from spikemm.datasets.digit_scenes.scenes import RANGES, Scene, make_scenes, plan_scenes

IGNORE, BACKGROUND, FIRST_DIGIT = 0, 1, 2  # values in the label maps
FOLDERS = {'train': 'training', 'val': 'validation'}


def generate_segmentation(out: str | Path = 'data/digit_scenes', *, seed: int = 0, size: int = 64,
                          num_train: int = 12000, num_val: int = 500) -> Path:
    """Make ``{out}/segmentation/{images,annotations}/{training,validation}/NNNNN``, JPEG images and PNG label maps.

    The label maps are read with ``reduce_zero_label=True``: 0 is ignored, 1 is background, 2 to 11 are the digits 0 to
    9. Ignored is a border of a pixel around every digit, and where paper or an earlier digit shows a bit of ink.

    A folder made with the same arguments is left as it is, another one is replaced. The folder appears under its name
    when it is complete, not before. Its ``manifest.json`` holds the arguments and the handwritten digits in every
    image, in the order of painting.

    Args:
        out: Folder of the DigitScenes data.
        seed: Decides the split and every image.
        size: Height and width of the images, in pixels. By default half that of the detection part: as many digits in a
            quarter of the pixels, so a network that labels every pixel sees more of them in its time.
        num_train: Number of training images.
        num_val: Number of validation images.

    Returns:
        The path of the folder.

    Raises:
        ValueError: An argument is out of range.
        FileExistsError: The folder is there and was not made by this function.
    """
    check_integers(RANGES, seed=seed, size=size, num_train=num_train, num_val=num_val)
    folder = Path(out) / 'segmentation'
    counts = {'train': num_train, 'val': num_val}
    manifest = plan_scenes('segmentation', seed, size, counts)
    files = {f'{kind}/{FOLDERS[split]}/*.{suffix}': count for split, count in counts.items()
             for kind, suffix in (('images', 'jpg'), ('annotations', 'png'))}
    if is_complete(folder, manifest, files):
        return folder
    with replacing(folder, manifest) as new:
        for split, name in FOLDERS.items():
            images, annotations = new / 'images' / name, new / 'annotations' / name
            images.mkdir(parents=True)
            annotations.mkdir(parents=True)
            for i, (labels, scene) in enumerate(make_scenes(manifest, split)):
                write_image(images / f'{i:05d}.jpg', scene.image)
                write_image(annotations / f'{i:05d}.png', label_map(labels, scene))
    return folder


def label_map(labels: list[int], scene: Scene) -> np.ndarray:
    """Give the value of every pixel, uint8, ``[size, size]``."""
    values = np.array([*(label + FIRST_DIGIT for label in labels), BACKGROUND], np.uint8)  # the last is owner -1
    digit = scene.owner >= 0
    border = cv2.dilate(digit.astype(np.uint8), np.ones((3, 3))).astype(bool) & ~digit
    return np.where(scene.mixed | border, IGNORE, values[scene.owner]).astype(np.uint8)
