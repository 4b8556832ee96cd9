"""Labelled moments of event recordings, for mmdet."""

import logging
from collections.abc import Iterator, Sequence
from math import hypot, isfinite
from pathlib import Path

import numpy as np
from mmdet.datasets import BaseDetDataset
from mmengine.logging import print_log

from spikemm.datasets.checks import CheckedDataset, Tally
from spikemm.registry import DATASETS

BOXES = '_bbox.npy'  # what the name of a recording's box file ends in
FIELDS = 'x', 'y', 'w', 'h', 'class_id'  # besides the time, 't' or 'ts'
MIN_SIDE = 1  # of a box, in pixels; the regression targets of smaller ones have no limit


@DATASETS.register_module()
class EventDetDataset(CheckedDataset, BaseDetDataset):
    """Event recordings with boxes, in the layout of Prophesee's automotive data.

    That is a folder of recordings ``NAME_td.dat``, each with its boxes in ``NAME_bbox.npy``, a structured array with
    the fields ``t`` (in us; ``ts`` in GEN1), ``x``, ``y`` (upper left corner), ``w``, ``h`` (in pixels) and
    ``class_id``. GEN1 is `A Large Scale Event-based Detection Dataset for Automotive
    <https://arxiv.org/abs/2001.08499>`_. A sample is one labelled time ``t`` of a recording with the events of
    ``[t - window_us, t)``; of a window that begins before the recording, the first frames are empty. Only the box files
    are read here; ``spikemm.LoadEvents`` reads the window.

    Boxes are clipped to the sensor; those that cannot be learned from are left out, and counted by reason in one
    warning. With ``test_mode=True`` a box that is not made of numbers is refused instead. As in
    `the data's own evaluation <https://github.com/prophesee-ai/prophesee-automotive-dataset-toolbox>`_, boxes of the
    first ``skip_us`` are left out, and so are times at which none is left. Too small ones (``min_side``,
    ``min_diagonal``) do not count for it: here they are ignored, as a crowd of COCO is, so that finding them costs
    nothing. That evaluation also drops detections below these limits.

    Ids in the files are the places of a class in ``METAINFO``. ``classes`` of ``metainfo`` may be a part of them, by
    name; for other data, subclass and replace ``METAINFO``.

    Example::

        dataset=dict(
            type='spikemm.EventDetDataset',
            data_root='data/gen1',
            data_prefix=dict(events='train'),
            window_us=100_000)

    Args:
        *args: Arguments of mmdet's ``BaseDetDataset``.
        window_us: Duration of the events that a sample shows, in us.
        sensor_size: Height and width of the sensor, in pixels.
        min_side: Shortest side of a box that counts, in pixels of the sensor.
        min_diagonal: Shortest diagonal of a box that counts, in pixels of the sensor.
        skip_us: Duration at the beginning of a recording, whose time starts at 0, in which boxes are left out, in us.
        event_suffix: What the name of a recording ends in, after the part that it shares with its box file.
        **kwargs: Arguments of ``BaseDetDataset``; ``hint`` is that of :class:`CheckedDataset`.

    Raises:
        FileNotFoundError: A folder, or the recording of a box file, does not exist.
        ValueError: There is no box to learn from, or a box file is not one.
    """

    METAINFO = dict(classes=('car', 'pedestrian'), palette=[(0, 150, 60), (235, 130, 0)])
    HINT = ('GEN1 is on https://www.prophesee.ai/2020/01/24/prophesee-gen1-automotive-detection-dataset. Expected in '
            '`data_root`: train, val and test, with NAME_td.dat and NAME_bbox.npy side by side.')

    def __init__(
        self,
        *args,
        window_us: int = 100_000,
        sensor_size: Sequence[int] = (240, 304),
        min_side: float = 0,
        min_diagonal: float = 0,
        skip_us: int = 0,
        event_suffix: str = '_td.dat',
        **kwargs,
    ) -> None:
        if not isinstance(window_us, int) or window_us < 1:
            raise ValueError(f'`window_us` must be a positive number of microseconds, but got {window_us!r}.')
        self.window_us, self.skip_us, self.event_suffix = window_us, skip_us, event_suffix
        self.height, self.width = self.sensor_size = tuple(sensor_size)
        self.min_side, self.min_diagonal = min_side, min_diagonal
        super().__init__(*args, **kwargs)

    def load_data_list(self) -> list[dict]:
        self._problems, self._total, self._used, self._small, self._early = Tally(), 0, 0, 0, 0
        names = type(self).METAINFO['classes']
        self._labels = {i: self.metainfo['classes'].index(name) for i, name in enumerate(names)
                        if name in self.metainfo['classes']}
        data_list = []
        for event_path, box_path in self._pairs():
            times, boxes, ids = self._read(box_path)
            self._total += len(times)
            for t in np.unique(times).tolist():
                at_t = times == t
                instances = self._instances(t, boxes[at_t].tolist(), ids[at_t].tolist(), box_path.name)
                if not all(instance['ignore_flag'] for instance in instances):
                    data_list.append(dict(
                        img_id=len(data_list), event_path=str(event_path), t_range=(t - self.window_us, t),
                        instances=instances, sensor_size=self.sensor_size, height=self.height, width=self.width))
        return data_list

    def _pairs(self) -> Iterator[tuple[Path, Path]]:
        """Recordings that have a box file, with it, by name."""
        folder = Path(self.data_prefix['events'])
        recordings = {path.name.removesuffix(self.event_suffix): path
                      for path in folder.glob(f'*{self.event_suffix}')}
        box_files = {path.name.removesuffix(BOXES): path for path in folder.glob(f'*{BOXES}')}
        alone = sorted(set(box_files) - set(recordings))
        if alone:
            raise FileNotFoundError(self._explain(
                f'{len(alone)} of {len(box_files)} box files have no recording. The first is '
                f'{box_files[alone[0]]}: {folder / (alone[0] + self.event_suffix)} does not exist.'))
        self._unlabelled = sorted(set(recordings) - set(box_files))
        yield from ((recordings[name], box_files[name]) for name in sorted(box_files))

    def _read(self, path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        try:
            return read_boxes(path)
        except (ValueError, EOFError) as error:  # of numpy and of our checks
            raise ValueError(self._explain(f'{path} cannot be used: {error}')) from error

    def _instances(self, t: int, boxes: list[list[float]], ids: list[int], file: str) -> list[dict]:
        """What mmdet is to know of the boxes at one time."""
        if t <= self.skip_us:
            self._early += len(boxes)
            return []
        instances = []
        for box, class_id in zip(boxes, ids, strict=True):
            x1, y1, x2, y2 = clipped = self._clip(box)
            problem = self._find_problem(box, clipped, class_id)
            if problem:
                self._problems.add(problem, f'{box} at {t} us in {file}')
                continue
            small = min(x2 - x1, y2 - y1) < self.min_side or hypot(x2 - x1, y2 - y1) < self.min_diagonal
            self._small += small
            self._used += not small
            instances.append(dict(bbox=clipped, bbox_label=self._labels[class_id], ignore_flag=int(small)))
        return instances

    def _clip(self, box: list[float]) -> list[float]:
        """Corners ``[x1, y1, x2, y2]`` of the part of ``[x, y, w, h]`` that is on the sensor."""
        x, y, w, h = box
        return [max(x, 0.0), max(y, 0.0), min(x + w, float(self.width)), min(y + h, float(self.height))]

    def _find_problem(self, box: list[float], clipped: list[float], class_id: int) -> str | None:
        """Say why a box cannot be learned from, or return None."""
        sides = clipped[2] - clipped[0], clipped[3] - clipped[1]
        if not all(isfinite(number) for number in box):
            if self.test_mode:
                raise ValueError(self._explain(f'a box to be evaluated is not made of numbers: {box}.'))
            return 'not made of numbers'
        if class_id not in self._labels:
            return 'of a class id that is not in `classes`'
        if min(box[2:]) <= 0:
            return 'of zero area'
        if min(sides) <= 0:
            return 'outside the sensor'
        if min(sides) < MIN_SIDE:
            return f'below {MIN_SIDE} pixel'
        return None

    def _check_paths(self) -> None:
        self._check_classes()
        unknown = [name for name in self.metainfo['classes'] if name not in type(self).METAINFO['classes']]
        if unknown:
            raise ValueError(self._explain(
                f'`classes` of `metainfo` must be some of {", ".join(type(self).METAINFO["classes"])}, but got '
                f'{", ".join(unknown)}.'))
        if not self.data_prefix.get('events'):
            raise ValueError(self._explain(f"`data_prefix` must name the folder of the recordings as 'events', but got "
                                           f'{self.data_prefix!r}.'))
        super()._check_paths()

    def _report(self, used: list[dict]) -> None:
        text = (f'{len(used)} labelled times with {self._used} of {self._total} boxes of {self._source()} are used. '
                f'{self._small} boxes are ignored as too small, {self._early} are of the first {self.skip_us} us. '
                f'Boxes left out: {self._problems}.')
        if self._unlabelled:
            text += f' {len(self._unlabelled)} recordings have no box file (first: {self._unlabelled[0]}).'
        warns = self._problems or self._unlabelled
        print_log(f'{type(self).__name__}: {text}', 'current', logging.WARNING if warns else logging.INFO)

    def _source(self) -> str:
        return str(Path(self.data_prefix['events'], f'*{BOXES}'))


def read_boxes(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Read a box file.

    Returns:
        Times ``[N]`` in us, boxes ``[N, 4]`` as ``x, y, w, h`` in pixels, and class ids ``[N]``.

    Raises:
        ValueError: It is not an array with the fields of a box.
    """
    boxes = np.load(path, allow_pickle=False)
    names = boxes.dtype.names or ()
    time = 't' if 't' in names else 'ts'
    missing = [name for name in (time, *FIELDS) if name not in names]
    if missing or boxes.ndim != 1:
        raise ValueError(f'boxes must be a list with the fields t (or ts), {", ".join(FIELDS)}, but got shape '
                         f'{boxes.shape} with the fields {", ".join(names) or "none"}.')
    if not all(np.issubdtype(boxes[name].dtype, np.integer) for name in (time, 'class_id')):
        raise ValueError(f'{time} and class_id of a box must be integers, but got {boxes.dtype}.')
    corners = np.stack([boxes[name].astype(np.float64) for name in FIELDS[:4]], axis=1)
    return boxes[time].astype(np.int64), corners, boxes['class_id'].astype(np.int64)
