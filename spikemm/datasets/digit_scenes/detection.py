"""The detection part: COCO instances."""

import json
from pathlib import Path

import numpy as np
from pycocotools import mask as coco_mask

from spikemm.datasets.digit_scenes.folders import check_integers, is_complete, replacing, write_image
from spikemm.datasets.digit_scenes.parts import CLASSES, SPLITS
from spikemm.datasets.digit_scenes.scenes import RANGES, Scene, make_scenes, plan_scenes


def generate_detection(out: str | Path = 'data/digit_scenes', *, seed: int = 0, size: int = 128,
                       num_train: int = 8000, num_val: int = 500) -> Path:
    """Make ``{out}/detection/{train,val}/NNNNN.jpg`` and ``annotations/instances_{train,val}.json`` beside them.

    The annotations are COCO instances. Masks and boxes are those of the ink that is seen, not of what lies under other
    digits; the masks are run-length encoded, because a digit has holes. The categories '0' to '9' have the ids 1 to 10.
    One image in 50 shows no digit.

    A folder made with the same arguments is left as it is, another one is replaced. The folder appears under its name
    when it is complete, not before. Its ``manifest.json`` holds the arguments and the handwritten digits in every
    image, in the order of painting.

    Args:
        out: Folder of the DigitScenes data.
        seed: Decides the split and every image.
        size: Height and width of the images, in pixels.
        num_train: Number of training images.
        num_val: Number of validation images.

    Returns:
        The path of the folder.

    Raises:
        ValueError: An argument is out of range.
        FileExistsError: The folder is there and was not made by this function.
    """
    check_integers(RANGES, seed=seed, size=size, num_train=num_train, num_val=num_val)
    folder = Path(out) / 'detection'
    counts = {'train': num_train, 'val': num_val}
    manifest = plan_scenes('detection', seed, size, counts)
    files = {f'{split}/*.jpg': count for split, count in counts.items()}
    if is_complete(folder, manifest, {**files, 'annotations/instances_*.json': len(SPLITS)}):
        return folder
    with replacing(folder, manifest) as new:
        (new / 'annotations').mkdir()
        for split in SPLITS:
            (new / split).mkdir()
            images, annotations = [], []  # their ids count from 0 and 1: evaluation takes annotation 0 for none
            for i, (labels, scene) in enumerate(make_scenes(manifest, split)):
                name = f'{i:05d}.jpg'
                write_image(new / split / name, scene.image)
                images.append({'id': i, 'file_name': name, 'height': size, 'width': size})
                annotations += [{'id': len(annotations) + k, 'image_id': i, **instance}
                                for k, instance in enumerate(instances(labels, scene), 1)]
            categories = [{'id': label, 'name': name} for label, name in enumerate(CLASSES, 1)]
            content = {'images': images, 'annotations': annotations, 'categories': categories}
            (new / 'annotations' / f'instances_{split}.json').write_text(json.dumps(content))
    return folder


def instances(labels: list[int], scene: Scene) -> list[dict]:
    """Describe the digits of a scene as COCO annotations, without the ids."""
    described = []
    for number, label in enumerate(labels):
        mask = scene.owner == number
        rle = coco_mask.encode(np.asfortranarray(mask, np.uint8))
        described.append({
            'category_id': label + 1, 'bbox': coco_mask.toBbox(rle).tolist(), 'area': int(mask.sum()), 'iscrowd': 0,
            'segmentation': {'size': rle['size'], 'counts': rle['counts'].decode()}})
    return described
