"""Pictures of classes, objects and segmentations: what a network predicts, or what it is taught."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import cv2
import mmcv
import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import hsv_to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from mmengine.registry import VISUALIZERS
from mmengine.structures import BaseDataElement, InstanceData, PixelData
from mmengine.visualization.utils import img_from_canvas

MIN_SIDE = 640  # of a picture, in pixels, that labels can be read on
DPI = 100
LABELS = 'gt_label', 'pred_label'  # of mmpretrain's samples
GOLDEN = 0.618  # of the circle of hues, between one class and the next
LINE = 22  # height of a line of a legend, in pixels
CAPTION = 30  # height of a line of a caption, in pixels
RIGHT, WRONG, UNKNOWN = '#1a7f37', '#cf222e', '#24292f'  # of captions: green, red, grey

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


def draw_classes(image: np.ndarray, sample: BaseDataElement, classes: Sequence[str] | None) -> np.ndarray:
    """Write the true and the predicted class of a sample of mmpretrain below its image, green if right, red if wrong.

    Args:
        image: RGB, uint8, ``[H, W, 3]``.
        sample: Data sample; it has the true class, the prediction, or both.
        classes: Names of the classes; None writes their numbers.

    Returns:
        The picture, RGB, uint8; larger than the image where that is small.
    """
    true, predicted = (sorted(sample.get(name).tolist()) if name in sample else None for name in LABELS)
    if predicted and len(predicted) == 1 and 'pred_score' in sample:
        predicted = [int(sample.pred_score.argmax())]  # after an augmented test, the label is still that of one view
    true_names, names = (
        [str(label if classes is None else classes[label]) for label in labels or ()] for labels in (true, predicted))
    if predicted is None:
        return beneath(enlarge(image), [(', '.join(true_names), 'black')])
    if 'pred_score' in sample:
        names = [f'{name} {sample.pred_score[label]:.0%}' for name, label in zip(names, predicted, strict=True)]
    lines = [] if true is None else [(f'true: {", ".join(true_names)}', 'black')]
    colour = UNKNOWN if true is None else RIGHT if predicted == true else WRONG
    return beneath(enlarge(image), [*lines, (f'predicted: {", ".join(names)}', colour)])


def draw_sample(
    image: np.ndarray, sample: BaseDataElement, classes: Sequence[str] | None, palette: Palette | None = None, *,
    score_thr: float = 0.3,
) -> np.ndarray:
    """Draw what is known of a sample of mmpretrain, mmdet or mmseg.

    Classes are written below the image. Of objects and of maps, the ground truth is drawn and, beside it, the
    prediction, as far as the sample has them.

    Args:
        image: RGB, uint8, ``[H, W, 3]``.
        sample: Data sample.
        classes: Names of the classes.
        palette: RGB colours of the classes; None chooses them.
        score_thr: Lowest score of the objects shown.
    """
    if has_classes(sample):
        return draw_classes(image, sample, classes)
    pictures = [
        draw_instances(image, to_arrays(sample.get(name), score_thr), classes, palette)
        for name in ('gt_instances', 'pred_instances') if name in sample]
    pictures += [
        draw_segmentation(image, sample.get(name).cpu().data[0].numpy(), classes, palette)
        for name in ('gt_sem_seg', 'pred_sem_seg') if name in sample]
    return beside(pictures or [enlarge(image)])


def has_classes(sample: BaseDataElement) -> bool:
    """Whether a sample is one of classification."""
    return any(name in sample for name in LABELS)


def to_picture(inputs: torch.Tensor, bgr: bool) -> np.ndarray:
    """Return an image ``[C, H, W]`` of 0 to 255, as a network gets it or grey, as RGB, uint8, ``[H, W, 3]``.

    Raises:
        ValueError: It has neither 1 nor 3 channels.
    """
    if len(inputs) not in (1, 3):
        raise ValueError(f'An image must be [1, H, W] or [3, H, W], but got {list(inputs.shape)}. To draw events, the '
                         '`data_preprocessor` of the config must be one of events, such as '
                         'spikemm.EventDataPreprocessor.')
    image = inputs.cpu().permute(1, 2, 0).numpy().clip(0, 255).astype(np.uint8)
    image = np.repeat(image, 3 // image.shape[2], axis=2)  # grey ones
    return np.ascontiguousarray(image[..., ::-1] if bgr else image)


def to_original_size(inputs: torch.Tensor, sample: BaseDataElement) -> torch.Tensor:
    """Undo Pad and Resize of an input ``[C, H, W]``."""
    height, width = sample.ori_shape
    across, down = sample.get('scale_factor', (1, 1))
    image = inputs[:, :round(height * down), :round(width * across)].permute(1, 2, 0).numpy()
    image = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
    return torch.from_numpy(image.reshape(height, width, -1)).permute(2, 0, 1)


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


def beneath(picture: np.ndarray, lines: Sequence[tuple[str, str]]) -> np.ndarray:
    """Write lines, each a text and its colour, below an RGB picture."""
    height, width = CAPTION * len(lines), picture.shape[1]
    figure = Figure(np.add((width, height), 0.01) / DPI, dpi=DPI)
    for i, (text, colour) in enumerate(lines):
        figure.text(0.5, 1 - (i + 0.5) / len(lines), text, color=colour, ha='center', va='center')
    return np.vstack([picture, img_from_canvas(FigureCanvasAgg(figure))])


def beside(pictures: Sequence[np.ndarray], columns: int | None = None) -> np.ndarray:
    """Join RGB pictures on white, in rows of ``columns``, or all in one row."""
    columns = min(columns or len(pictures), len(pictures))
    widest = max(picture.shape[1] for picture in pictures) if columns < len(pictures) else 0
    rows = []
    for i in range(0, len(pictures), columns):
        row = pictures[i:i + columns]
        height = max(picture.shape[0] for picture in row)
        cells = [np.full((height, max(widest, picture.shape[1]), 3), 255, dtype=np.uint8) for picture in row]
        for cell, picture in zip(cells, row, strict=True):
            cell[:picture.shape[0], :picture.shape[1]] = picture
        cells += [np.full_like(cells[-1], 255)] * (columns - len(cells))
        rows.append(np.hstack(cells))
    return np.vstack(rows)


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
