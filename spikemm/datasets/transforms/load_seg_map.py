"""Read the mask of semantic segmentation; one that the loss could not take is an error or is skipped and counted."""

import mmcv
import numpy as np
from mmengine import fileio
from mmseg.datasets.transforms import LoadAnnotations

from spikemm.datasets.transforms.on_error import SkipOrRaise, explain
from spikemm.registry import TRANSFORMS

MAX_LABEL = 65535  # 16 bits are the most that OpenCV's resizing takes
LEFT_OUT = 255  # of mmseg's `label_map`, whatever the ignore index is
LABELS_SHOWN = 5


@TRANSFORMS.register_module()
class LoadSegMap(SkipOrRaise, LoadAnnotations):
    """mmseg's ``LoadAnnotations``, which says which mask cannot be used and why.

    A mask is unusable when it is missing, empty or cut off, has another size than the image, has colours instead of
    labels, or has a label that is neither a class nor the ignore index: mmseg fails inside the loss then, on a GPU
    without naming the file. Labels are compared with the classes of a dataset of spikemm
    (:class:`spikemm.datasets.SegDataset`) only. Masks of 16 bits keep their labels, which mmseg would wrap at 256.

    ``reduce_zero_label`` is an argument of the dataset. For ``on_error`` see :class:`LoadImage`, which goes before this
    transform.

    Example::

        train_pipeline = [dict(type='spikemm.LoadImage', on_error='skip'),
                          dict(type='spikemm.LoadSegMap', on_error='skip'), ...]

    Args:
        on_error: 'raise' or 'skip'.
        imdecode_backend: Decoder of mmcv. Pillow reads palette images as labels, OpenCV as colours.
        backend_args: Arguments of mmengine's file backend.
    """

    def __init__(
        self, *, on_error: str = 'raise', imdecode_backend: str = 'pillow', backend_args: dict | None = None,
    ) -> None:
        super().__init__(on_error=on_error, imdecode_backend=imdecode_backend, backend_args=backend_args)

    def transform(self, results: dict) -> dict | None:
        path = results['seg_map_path']
        try:
            content = fileio.get(path, backend_args=self.backend_args)
            labels = mmcv.imfrombytes(content, flag='unchanged', backend=self.imdecode_backend)
        except Exception as error:  # file backends and decoders have no common error class
            return self.refuse('mask', path, explain(path, error), error)
        reason = find_misfit(labels, results.get('ori_shape'))  # not img_shape: a test resizes first
        if reason:
            return self.refuse('mask', path, reason)
        labels = relabel(
            labels, results.get('ignore_index', 255), results.get('reduce_zero_label', False), results.get('label_map'))
        reason = find_unknown_labels(labels, results)
        if reason:
            return self.refuse('mask', path, reason)
        results['gt_seg_map'] = labels
        results['seg_fields'].append('gt_seg_map')
        return results


def find_misfit(labels: np.ndarray | None, size: tuple[int, int] | None) -> str | None:
    """Say why an array cannot be the labels of an image of ``size`` (height, width), or return None."""
    if labels is None:
        return 'the file is cut off or not an image'
    if labels.ndim != 2:
        return f'it has {labels.shape[2]} channels; labels are stored as a palette or grey image'
    if labels.dtype.kind not in 'bui' or labels.min() < 0 or labels.max() > MAX_LABEL:
        return f'its values are {labels.dtype}, {labels.min()} to {labels.max()}; labels are 0 to {MAX_LABEL}'
    if size is not None and labels.shape != tuple(size):
        return f'it is {labels.shape[1]} x {labels.shape[0]} pixels, the image {size[1]} x {size[0]}'
    return None


def relabel(labels: np.ndarray, ignore_index: int, reduce_zero_label: bool, label_map: dict | None) -> np.ndarray:
    """Apply the dataset's ``reduce_zero_label`` and ``label_map`` as mmseg does, to labels of 8 or 16 bits.

    Classes that ``label_map`` leaves out get the ignore index, which in mmseg must be 255 for that.
    """
    table = np.arange(int(labels.max()) + 1)
    if reduce_zero_label:
        table = np.where((table == 0) | (table == ignore_index), ignore_index, table - 1)
    if label_map is not None:
        new = {old: ignore_index if label == LEFT_OUT else label for old, label in label_map.items()}
        table = np.array([new.get(label, label) for label in table.tolist()])
    return table.astype(np.uint8 if table.max() <= 255 else np.uint16)[labels.astype(np.int32)]


def find_unknown_labels(labels: np.ndarray, results: dict) -> str | None:
    """Say which labels are neither a class nor ignored; None where there are none or the classes are not known."""
    classes, ignored = results.get('num_classes'), results.get('ignore_index')
    if classes is None:
        return None
    unknown = np.unique(labels[(labels >= classes) & (labels != ignored)])
    if not unknown.size:
        return None
    shown = ', '.join(map(str, unknown[:LABELS_SHOWN])) + (', ...' if unknown.size > LABELS_SHOWN else '')
    reduced = results.get('reduce_zero_label', False)
    return (f'labels {shown}, but there are {classes} classes, 0 to {classes - 1}, and the ignore index {ignored}; '
            f'reduce_zero_label={reduced}{"" if reduced else ", which would be True where label 0 is no class"}')
