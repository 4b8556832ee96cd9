"""mmdet's COCO dataset, with errors that say what is wrong with the data and counts of what is left out."""

import logging
from collections.abc import Hashable, Sequence
from math import isfinite
from numbers import Real

import numpy as np
from mmdet import datasets as mmdet
from mmdet.datasets.api_wrappers import COCO
from mmengine.logging import print_log

from spikemm.datasets.checks import CheckedDataset, Tally
from spikemm.registry import DATASETS

FIELDS = {
    'images': ('id', 'file_name', 'height', 'width'),
    'categories': ('id', 'name'),
    'annotations': ('id', 'image_id', 'category_id', 'bbox', 'area'),
}
IDS = 'id', 'image_id', 'category_id'
MIN_SIDE = 1  # of a box, in pixels; mmdet leaves out smaller ones, whose regression targets have no limit
SHOWN = 200  # characters of an entry in a message
MAX_COORDINATE = 1e6  # in pixels; the memory that pycocotools takes for a polygon grows with it


@DATASETS.register_module()
class CocoDataset(CheckedDataset, mmdet.CocoDataset):
    """mmdet's ``CocoDataset`` with checked data.

    The annotation file is refused where it is not COCO's JSON of instances, or where its categories are not the
    ``classes`` of ``metainfo`` in this order: mmdet would train without the boxes of a misspelt class, and number the
    classes by their order in the file. Annotations that cannot be learned from are left out, as mmdet does for most of
    them, and counted by reason in one warning; those of which only the mask is unusable, where the pipeline loads
    masks, are ignored as a crowd is. With ``filter_cfg=dict(filter_empty_gt=True)``, images without any annotation left
    are left out, too.

    With ``test_mode=True``, a file with an annotation that COCO's evaluation fails on is refused: mmdet's
    ``CocoMetric`` reads the file again, after a whole epoch of training.

    Example::

        dataset=dict(
            type='spikemm.CocoDataset',
            data_root='data/digit_scenes/detection',
            ann_file='annotations/instances_train.json',
            data_prefix=dict(img='train/'),
            metainfo=dict(classes=list('0123456789')),
            filter_cfg=dict(filter_empty_gt=True, min_size=32))

    Args:
        *args, **kwargs: Arguments of mmdet's ``CocoDataset``; ``hint`` is that of :class:`CheckedDataset`.
    """

    HINT = ('COCO is on https://cocodataset.org. Expected in `data_root`: train2017, val2017 and '
            'annotations/instances_train2017.json, annotations/instances_val2017.json.')

    def load_data_list(self) -> list[dict]:
        self._problems, self._used, self._total = Tally(), 0, 0
        self._wants_masks = any(getattr(step, 'with_mask', False) for step in self.pipeline.transforms)
        try:
            data_list = super().load_data_list()
        except (AssertionError, ValueError) as error:  # of mmdet, of json and of our checks
            raise ValueError(self._explain(f'{self.ann_file} cannot be used: {error}')) from error
        for images in self.cat_img_map.values():
            images.clear()
        for info in data_list:  # by which mmdet filters: without the annotations that are left out
            for instance in info['instances']:
                if instance.get('mask') != []:
                    self.cat_img_map[self.cat_ids[instance['bbox_label']]].append(info['img_id'])
        return data_list

    def COCOAPI(self, ann_file: str) -> COCO:
        """Read the file; mmdet has a class here."""
        coco = CheckedCOCO(ann_file)
        check_categories([category['name'] for category in coco.dataset['categories']], self.metainfo['classes'])
        for annotation in coco.dataset['annotations']:
            if annotation['image_id'] not in coco.imgs:
                self._problems.add('of an image that the file does not list', f'annotation {annotation["id"]}')
                self._total += 1
        return coco

    def parse_data_info(self, raw_data_info: dict) -> dict:
        image, annotations = raw_data_info['raw_img_info'], raw_data_info['raw_ann_info']
        kept = []
        for annotation in annotations:
            if self.test_mode and annotation['category_id'] in self.cat2label:  # others are not evaluated
                check_for_evaluation(annotation, image, self._wants_masks)
            problem = find_problem(annotation, image, self.coco.cats, self.cat2label)
            if problem:
                self._problems.add(problem, describe(annotation, image))
            else:
                kept.append(annotation)
        info = super().parse_data_info(dict(raw_img_info=image, raw_ann_info=kept))
        self._total += len(annotations)
        self._used += len(kept)
        if self._wants_masks:
            for instance, annotation in zip(info['instances'], kept, strict=True):
                self._check_mask(instance, annotation, image)
        return info

    def _check_mask(self, instance: dict, annotation: dict, image: dict) -> None:
        """Leave of a mask what can be drawn; without any, ``[]``, mmdet ignores the object in training."""
        instance['mask'], problem = clean_mask(annotation.get('segmentation'), image['height'], image['width'])
        if problem:
            self._problems.add(problem, describe(annotation, image))
        if not instance['mask']:
            self._used -= 1

    def _check_paths(self) -> None:
        self._check_classes()
        self._check_prefix('img')
        super()._check_paths()

    def _report(self, used: list[dict]) -> None:
        empty = sum(all(instance.get('mask') == [] for instance in info['instances']) for info in self.data_list)
        left_out = len(self.data_list) - len(used)
        if self._problems or empty or left_out:
            text = (f'{len(used)} of {len(self.data_list)} images and {self._used} of {self._total} annotations of '
                    f'{self.ann_file} are used. {empty} images have no annotation to learn from; filter_cfg='
                    f'{self.filter_cfg} leaves out {left_out} images. Annotations left out: {self._problems}.')
            level = logging.WARNING if self._problems else logging.INFO
            print_log(f'{type(self).__name__}: {text}', 'current', level)
        if not self._used and not self.test_mode:
            raise ValueError(self._explain(f'none of the {self._total} annotations of {self.ann_file} can be learned '
                                           f'from: {self._problems}.'))


class CheckedCOCO(COCO):
    """mmdet's reader of a COCO file, refusing what is no list of images, categories and annotations."""

    def createIndex(self) -> None:
        check_content(self.dataset)
        super().createIndex()


def check_content(content: dict) -> None:
    """Raise ValueError where the parts of a COCO file are missing, incomplete or have an id twice."""
    content.setdefault('annotations', [])  # COCO's test images come without
    for part, fields in FIELDS.items():
        entries = content.get(part)
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise ValueError(f'it has no list of {part!r}; COCO instances are expected, images, categories and '
                             'annotations.')
        for entry in entries:
            missing = [field for field in fields if entry.get(field) is None]
            if missing:
                raise ValueError(f'one of its {part!r} has no {missing[0]!r}: {str(entry)[:SHOWN]}')
            bad = [field for field in fields if field in IDS and not isinstance(entry[field], Hashable)]
            if bad:
                raise ValueError(f'one of its {part!r} has a list or a dict as {bad[0]!r}: {str(entry)[:SHOWN]}')
        if len({entry['id'] for entry in entries}) < len(entries):
            raise ValueError(f'some of its {part!r} have the same id.')
    for image in content['images']:
        if not all(isinstance(image[side], int) and image[side] > 0 for side in ('height', 'width')):
            raise ValueError(f'height and width of an image are numbers of pixels: {str(image)[:SHOWN]}')


def check_categories(categories: list[str], classes: Sequence[str]) -> None:
    """Raise ValueError unless the categories have every class once and in the same order."""
    unknown = [name for name in classes if name not in categories]
    if unknown:
        problem = f'no category is called {", ".join(unknown)}'
    elif [name for name in categories if name in classes] != list(classes):
        problem = 'its categories do not name each class once and in the order of `classes`'
    else:
        return
    raise ValueError(f'{problem}. The categories are {", ".join(categories)}; `classes` of `metainfo` are '
                     f'{", ".join(classes)}.')


def find_problem(annotation: dict, image: dict, categories: dict[int, dict], labels: dict[int, int]) -> str | None:
    """Say why an annotation cannot be learned from, or return None.

    Args:
        annotation: Entry of the file.
        image: Entry of its image.
        categories: Categories of the file by id.
        labels: Those of them that are classes.
    """
    if annotation.get('ignore'):
        return "marked 'ignore'"
    if annotation['category_id'] not in categories:
        return 'of a category id that the file does not define'
    if annotation['category_id'] not in labels:
        return 'of a category that is not in `classes`'
    if not has_numbers(annotation):
        return 'whose box or area is not made of numbers'
    (x, y, width, height), area = annotation['bbox'], annotation['area']
    if min(area, width, height) <= 0:
        return 'with a box of zero area'
    inside = min(x + width, image['width']) - max(x, 0), min(y + height, image['height']) - max(y, 0)
    if min(inside) <= 0:
        return 'with a box outside the image'
    if min(width, height, *inside) < MIN_SIDE:
        return f'with a box below {MIN_SIDE} pixel'
    return None


def check_for_evaluation(annotation: dict, image: dict, with_mask: bool) -> None:
    """Raise ValueError where COCO's evaluation would fail on an annotation, or compare nothing with its mask.

    A box of zero area and a mask outside the image are objects that are not found.
    """
    if annotation.get('iscrowd') not in (0, 1):
        problem = "whose 'iscrowd' is not 0 or 1"
    elif not isinstance(annotation['id'], Real):
        problem = 'whose id is not a number'
    elif not has_numbers(annotation):
        problem = 'whose box or area is not made of numbers'
    elif with_mask and not is_mask(annotation.get('segmentation'), image['height'], image['width']):
        problem = 'whose mask is neither polygons nor a run-length code of the size of its image'
    else:
        return
    raise ValueError(f"COCO's evaluation cannot take {describe(annotation, image)}, {problem}: "
                     f'{str(annotation)[:SHOWN]}.')


def has_numbers(annotation: dict) -> bool:
    """Whether the box of an annotation is four finite numbers and its area is one."""
    box, area = annotation['bbox'], annotation['area']
    return isinstance(box, list) and len(box) == 4 and all(isinstance(v, Real) and isfinite(v) for v in (*box, area))


def is_mask(segmentation: list | dict | None, height: int, width: int) -> bool:
    """Whether pycocotools draws all of a mask; behind the first polygon it takes lines of two points, too."""
    if isinstance(segmentation, dict):
        return is_run_length(segmentation, height, width)
    if not isinstance(segmentation, list) or not segmentation:
        return False
    return is_polygon(segmentation[0]) and all(is_polygon(part, min_points=2) for part in segmentation)


def clean_mask(segmentation: list | dict | None, height: int, width: int) -> tuple[list | dict, str | None]:
    """Return what can be drawn of a mask, ``[]`` if nothing, and what is wrong with it, None if nothing is."""
    if not segmentation:
        return [], 'without a mask'
    if isinstance(segmentation, dict):
        return (segmentation, None) if is_run_length(segmentation, height, width) else (
            [], 'with a mask that is not a run-length code of the size of its image')
    polygons = [part for part in segmentation if is_polygon(part)] if isinstance(segmentation, list) else []
    if not polygons:
        return [], 'with a mask that is no polygon'
    inside = [part for part in polygons if max(part[::2]) > 0 and min(part[::2]) < width
              and max(part[1::2]) > 0 and min(part[1::2]) < height]
    if not inside:
        return [], 'with a mask outside the image'
    if len(inside) < len(segmentation):
        return inside, 'with a part of the mask that is no polygon or outside the image'
    return inside, None


def is_polygon(part: list, min_points: int = 3) -> bool:
    """Whether ``part`` is ``min_points`` or more, ``[x1, y1, x2, y2, ...]``, in numbers that can be drawn."""
    try:
        points = np.asarray(part)
    except ValueError:  # nested
        return False
    if points.ndim != 1 or points.dtype.kind not in 'iuf' or len(points) < 2 * min_points or len(points) % 2:
        return False
    return bool((np.abs(points) < MAX_COORDINATE).all())


def is_run_length(code: dict, height: int, width: int) -> bool:
    """Whether ``code`` is a run-length code, compressed or not, for ``height`` x ``width`` pixels."""
    if code.get('size') != [height, width]:
        return False
    counts = code.get('counts')
    if isinstance(counts, str):
        counts = run_lengths(counts)
    if not isinstance(counts, list):
        return False
    return all(isinstance(count, int) and count >= 0 for count in counts) and sum(counts) == height * width


def run_lengths(code: str) -> list[int] | None:
    """Run lengths of COCO's compressed code, or None if it breaks off.

    Six bits a character, from '0' on: five of the number, lowest first and in two's complement, and whether more
    follow. From the fourth run on the number is the difference to the run before the last one. (pycocotools draws a
    code that covers less than the image, too, and leaves the rest of its memory as it was.)
    """
    runs, number, shift = [], 0, 0
    for character in code:
        bits = ord(character) - ord('0')
        number |= (bits & 0x1F) << shift
        shift += 5
        if bits & 0x20:
            continue
        if bits & 0x10:
            number -= 1 << shift
        runs.append(number + (runs[-2] if len(runs) > 2 else 0))
        number = shift = 0
    return None if shift else runs


def describe(annotation: dict, image: dict) -> str:
    return f'annotation {annotation["id"]} of {image["file_name"]}'
