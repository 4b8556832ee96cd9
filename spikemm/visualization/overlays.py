"""Pictures of objects and of segmentations: what a network predicts, or what it is taught."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import cv2
import mmcv
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import hsv_to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from mmengine.registry import VISUALIZERS
from mmengine.structures import BaseDataElement, InstanceData, PixelData
from mmengine.visualization.utils import img_from_canvas

MIN_SIDE = 640  # of a picture, in pixels, that labels can be read on
DPI = 100
GOLDEN = 0.618  # of the circle of hues, between one class and the next
LINE = 22  # height of a line of a legend, in pixels

Palette = Sequence[Sequence[int]]


def colours(palette: Palette | None, number: int) -> list[tuple[int, int, int]]:
    """Return ``palette`` if it has ``number`` RGB colours, else as many that differ well."""
    if palette is not None and len(palette) == number:
        return [tuple(colour) for colour in palette]
    hues = np.arange(number) * GOLDEN % 1
    hsv = np.stack([hues, np.full(number, 0.9), np.where(np.arange(number) % 2, 0.7, 1.0)], -1)
    return [tuple(colour) for colour in (hsv_to_rgb(hsv) * 255).round().astype(int).tolist()]


def enlarge(image: np.ndarray) -> np.ndarray:
    """Enlarge a small image ``[H, W, 3]``, uint8, until its longer side has ``MIN_SIDE`` pixels."""
    factor = max(1, MIN_SIDE / max(image.shape[:2]))
    width, height = (round(factor * side) for side in image.shape[1::-1])
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_NEAREST)


def draw_instances(
    image: np.ndarray, instances: InstanceData, classes: Sequence[str], palette: Palette | None = None,
) -> np.ndarray:
    """Draw boxes, class names and, where there are any, masks and scores.

    Args:
        image: RGB, uint8, ``[H, W, 3]``.
        instances: In arrays, ``bboxes [N, 4]`` as x1, y1, x2, y2 in pixels, ``labels [N]``, and optionally
            ``masks [N, H, W]``, bool, and ``scores [N]``.
        classes: Names of the classes.
        palette: RGB colours of the classes; None chooses them.

    Returns:
        The picture, RGB, uint8; larger than the image where that is small.
    """
    picture = enlarge(image)
    if not len(instances):
        return picture
    boxes = instances.bboxes * (picture.shape[1] / image.shape[1])
    # inside, lest mmengine warns of a box on the edge and matplotlib shrinks the image to show one beyond it
    boxes = boxes.clip(0, np.subtract(picture.shape[1::-1] * 2, 1))
    shown = InstanceData(labels=instances.labels, bboxes=boxes)
    if 'scores' in instances:
        shown.scores = instances.scores
    if 'masks' in instances:
        shown.masks = np.stack([enlarge(mask.astype(np.uint8)) for mask in instances.masks]).astype(bool)
    visualizer = VISUALIZERS.get('mmdet.DetLocalVisualizer')(alpha=0.5, line_width=2)
    visualizer.dataset_meta = dict(classes=classes, palette=colours(palette, len(classes)))
    state = np.random.get_state()
    np.random.seed(0)  # of which mmdet draws the shade of a mask
    visualizer.add_datasample('', picture, BaseDataElement(gt_instances=shown), draw_pred=False)
    np.random.set_state(state)
    return visualizer.get_image()


def draw_segmentation(
    image: np.ndarray, segmentation: np.ndarray, classes: Sequence[str], palette: Palette | None = None,
) -> np.ndarray:
    """Lay the colours of the classes over an image, and beside it a legend of the classes present, largest first.

    Args:
        image: RGB, uint8, ``[H, W, 3]``.
        segmentation: Class of each pixel, ``[H, W]``; those from the number of classes on have none and are darkened.
        classes: Names of the classes.
        palette: RGB colours of the classes; None chooses them.

    Returns:
        The picture, RGB, uint8; larger than the image where that is small.
    """
    palette = colours(palette, len(classes))
    picture, labels = enlarge(image), enlarge(segmentation.astype(np.int16))
    visualizer = VISUALIZERS.get('mmseg.SegLocalVisualizer')(alpha=0.5)
    visualizer.dataset_meta = dict(classes=classes, palette=palette)
    sample = BaseDataElement(gt_sem_seg=PixelData(data=labels[None]))
    visualizer.add_datasample('', picture, sample, draw_pred=False, with_labels=False)
    entries = [
        (f'{share:.1%} {classes[label]}', palette[label]) for label, share in shares(segmentation, len(classes))]
    return beside([visualizer.get_image(), draw_legend(entries, picture.shape[0])])


def draw_sample(
    image: np.ndarray, sample: BaseDataElement, classes: Sequence[str], palette: Palette | None = None, *,
    score_thr: float = 0.3,
) -> np.ndarray:
    """Draw the ground truth of a sample of mmdet or mmseg and, beside it, the prediction, as far as it has them.

    Args:
        image: RGB, uint8, ``[H, W, 3]``.
        sample: Data sample.
        classes: Names of the classes.
        palette: RGB colours of the classes; None chooses them.
        score_thr: Lowest score of the objects shown.
    """
    pictures = [
        draw_instances(image, to_arrays(sample.get(name), score_thr), classes, palette)
        for name in ('gt_instances', 'pred_instances') if name in sample]
    pictures += [
        draw_segmentation(image, sample.get(name).cpu().data[0].numpy(), classes, palette)
        for name in ('gt_sem_seg', 'pred_sem_seg') if name in sample]
    return beside(pictures or [enlarge(image)])


def to_arrays(instances: InstanceData, score_thr: float) -> InstanceData:
    """Return what there is to draw of mmdet's instances, in arrays."""
    if 'scores' in instances:
        instances = instances[instances.scores >= score_thr]
    instances = instances.cpu()
    boxes = getattr(instances.bboxes, 'tensor', instances.bboxes)
    found = InstanceData(labels=instances.labels.numpy(), bboxes=boxes.numpy())
    if 'scores' in instances:
        found.scores = instances.scores.numpy()
    if 'masks' in instances:
        masks = instances.masks
        found.masks = masks.to_ndarray() if hasattr(masks, 'to_ndarray') else masks.numpy()
    return found


def shares(segmentation: np.ndarray, num_classes: int) -> list[tuple[int, float]]:
    """Return the classes present with their share of all pixels, largest first."""
    counts = np.bincount(segmentation[segmentation < num_classes].ravel(), minlength=num_classes)
    order = np.argsort(-counts, kind='stable')
    return [(int(label), counts[label] / segmentation.size) for label in order if counts[label]]


def draw_legend(entries: Sequence[tuple[str, Sequence[int]]], height: int) -> np.ndarray:
    """Draw texts with their colours (RGB, 0 to 255) one below the other; return RGB, uint8, ``[height, W, 3]``."""
    columns = max(1, -(-len(entries) * LINE // height))
    figure = Figure((4 * columns, height / DPI), dpi=DPI)
    canvas = FigureCanvasAgg(figure)
    handles = [Patch(color=np.divide(colour, 255), label=text) for text, colour in entries]
    legend = figure.legend(handles=handles, loc='upper left', fontsize=9, frameon=False, ncols=columns)
    picture = img_from_canvas(canvas)
    return picture[:, :int(legend.get_window_extent().x1) + 10]


def beside(pictures: Sequence[np.ndarray], columns: int | None = None) -> np.ndarray:
    """Join RGB pictures on white, in rows of ``columns``, or all in one row."""
    columns = min(columns or len(pictures), len(pictures))
    heights, widths = zip(*(picture.shape[:2] for picture in pictures), strict=True)
    same = columns < len(pictures)
    cells = []
    for picture in pictures:
        cell = np.full((max(heights), max(widths) if same else picture.shape[1], 3), 255, dtype=np.uint8)
        cell[:picture.shape[0], :picture.shape[1]] = picture
        cells.append(cell)
    cells += [np.full_like(cells[-1], 255)] * (-len(cells) % columns)
    return np.vstack([np.hstack(cells[i:i + columns]) for i in range(0, len(cells), columns)])


class PictureFolder:
    """Save pictures as PNG under the names of the images that they show; a name that recurs gets a number.

    Args:
        folder: Where to save; made with the first picture.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._used = Counter()

    def save(self, picture: np.ndarray, source: str) -> Path:
        """Save an RGB picture of the image file ``source``."""
        stem = Path(source).stem
        self._used[stem] += 1
        number = self._used[stem]
        path = self.folder / (f'{stem}.png' if number == 1 else f'{stem}_{number}.png')
        mmcv.imwrite(picture[..., ::-1], str(path))
        return path
