"""Datasets of event recordings with one label each."""

import csv
import logging
import math
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from mmengine.logging import print_log
from mmpretrain.datasets import BaseDataset
from mmpretrain.datasets.categories import CALTECH101_CATEGORIES, CIFAR10_CATEGORIES

from spikemm.datasets.checks import CheckedDataset, Tally
from spikemm.datasets.events import SUFFIXES
from spikemm.datasets.transforms.event_clips import list_frames, natural_key
from spikemm.registry import DATASETS

LISTING_THREADS = 16  # folders of a network disk answer late, each
LISTED_AT_ONCE = 500


class EventDataset(CheckedDataset, BaseDataset):
    """mmpretrain's ``BaseDataset`` for recordings, with checked data.

    Args:
        sensor_size: Height and width of the sensor in pixels, for formats that do not store it; None is the
            ``SENSOR_SIZE`` of the class.
        **kwargs: Arguments of mmpretrain's ``BaseDataset``; ``hint`` is that of :class:`CheckedDataset`.
    """

    SENSOR_SIZE: tuple[int, int] | None = None

    def __init__(self, *, sensor_size: Sequence[int] | None = None, **kwargs) -> None:
        size = self.SENSOR_SIZE if sensor_size is None else sensor_size
        if size is not None and (len(size) != 2 or not all(isinstance(side, int) and side > 0 for side in size)):
            raise ValueError(f'`sensor_size` must be (height, width) in pixels, but got {sensor_size!r}.')
        self.sensor_size = None if size is None else tuple(size)
        super().__init__(**kwargs)

    def _check_paths(self) -> None:
        self._check_classes()
        super()._check_paths()

    def _sample(self, path: str | Path, label: int, **more) -> dict:
        return {'event_path': str(path), 'gt_label': label, 'sensor_size': self.sensor_size, **more}

    def _check_listed(self, paths: Sequence[str]) -> None:
        missing = find_missing(paths)
        if missing:
            raise FileNotFoundError(self._explain(
                f'{len(missing)} of {len(paths)} files or folders that {self.ann_file} asks for do not exist. The '
                f'first is {missing[0]}.'))


@DATASETS.register_module()
class EventFolder(EventDataset):
    """A folder of recordings for each class.

    ``data_root/data_prefix`` has the folders ``classes`` and no other; each has recordings of any format that
    :func:`spikemm.datasets.events.read_events` reads, in natural order of their names (2 before 10). Other files are
    left out; a class without a recording is reported in a warning.

    Example::

        dataset=dict(
            type='spikemm.EventFolder',
            data_root='data/digit_scenes/events',
            data_prefix='train',
            classes=list('0123456789'),
            sensor_size=(32, 32),
            hint='Make it with: python tools/dataset_converters/digit_scenes.py events')

    Args:
        data_root: The data's folder.
        data_prefix: Folder of the class folders, inside ``data_root``.
        **kwargs: ``sensor_size`` (height, width) in pixels, for formats that do not store it; ``classes``; ``hint``,
            how to get the data; and the other arguments of mmpretrain's ``BaseDataset`` but ``ann_file``.
    """

    def __init__(self, data_root: str = '', data_prefix: str = '', **kwargs) -> None:
        super().__init__(ann_file='', data_root=data_root, data_prefix=data_prefix, **kwargs)

    def load_data_list(self) -> list[dict]:
        root = Path(self.img_prefix)
        self._check_folders({entry.name for entry in os.scandir(root) if entry.is_dir()})
        self._empty, data_list = Tally(), []
        for label, name in enumerate(self.metainfo['classes']):
            paths = self._select(list_recordings(root / name))
            if not paths:
                self._empty.add('classes without a recording', name)
            data_list += [self._sample(path, label) for path in paths]
        return data_list

    def _select(self, paths: list[str]) -> list[str]:
        """Return those of the recordings of a class that belong to the dataset."""
        return paths

    def _check_folders(self, found: set[str]) -> None:
        classes = self.metainfo['classes']
        absent = [name for name in classes if name not in found]
        unknown = sorted(found.difference(classes))
        if absent or unknown:
            raise ValueError(self._explain(
                f'the folders of {self._source()} must be the {len(classes)} classes, but {len(absent)} of them are '
                f'missing (first: {absent[:1]}) and {len(unknown)} folders are no class (first: {unknown[:1]}).'))

    def _report(self, used: list[dict]) -> None:
        if self._empty:
            print_log(f'{type(self).__name__}: {self._source()} has {self._empty}. Recordings end in '
                      f'{", ".join(SUFFIXES)}.', 'current', logging.WARNING)

    def _source(self) -> str:
        return str(self.img_prefix)


@DATASETS.register_module()
class NMNIST(EventFolder):
    """N-MNIST: 60,000 and 10,000 recordings of MNIST digits on a screen, `Converting Static Image Datasets to Spiking
    Neuromorphic Datasets Using Saccades <https://doi.org/10.3389/fnins.2015.00437>`_.

    Args:
        data_root: The folder that has ``Train`` and ``Test``.
        split: 'train' or 'test'.
        **kwargs: Other arguments of :class:`EventFolder`.
    """

    METAINFO = {'classes': tuple('0123456789')}
    SENSOR_SIZE = 34, 34
    HINT = ('N-MNIST is on https://www.garrickorchard.com/datasets/n-mnist. Expected in `data_root`: Train/0 to '
            'Train/9 and Test/0 to Test/9 with the .bin files.')

    def __init__(self, data_root: str, *, split: str = 'train', **kwargs) -> None:
        check_split(split, ('train', 'test'))
        super().__init__(data_root, data_prefix=split.capitalize(), **kwargs)


class SplitEventFolder(EventFolder):
    """Class folders that are not divided into training and test data; here they are, by a share of each class.

    Args:
        data_root: The folder of the class folders.
        split: 'train' or 'test'.
        train_share: Share of each class that is training data; rounded up to whole recordings.
        seed: Training data are the first recordings of each class, or where this is a number, recordings drawn with it.
        **kwargs: Other arguments of :class:`EventFolder`.
    """

    def __init__(
        self, data_root: str, *, split: str = 'train', train_share: float = 0.9, seed: int | None = None, **kwargs,
    ) -> None:
        check_split(split, ('train', 'test'))
        if not 0 < train_share < 1:
            raise ValueError(f'`train_share` must be between 0 and 1, but got {train_share!r}.')
        self.split, self.train_share, self.seed = split, train_share, seed
        super().__init__(data_root, **kwargs)

    def _select(self, paths: list[str]) -> list[str]:
        order = np.arange(len(paths))
        if self.seed is not None:
            np.random.default_rng(self.seed).shuffle(order)
        count = math.ceil(self.train_share * len(paths))
        chosen = order[:count] if self.split == 'train' else order[count:]
        return [paths[i] for i in sorted(chosen)]


@DATASETS.register_module()
class NCaltech101(SplitEventFolder):
    """N-Caltech101: 8,709 recordings of Caltech101 images on a screen, `Converting Static Image Datasets to Spiking
    Neuromorphic Datasets Using Saccades <https://doi.org/10.3389/fnins.2015.00437>`_.

    It has 100 objects and ``BACKGROUND_Google``, 101 classes; for the objects alone, give the other 100 as ``classes``.
    There is no official split: a share of each class is drawn by seed, so that results compare only with those of the
    same ``train_share`` and ``seed``. For a distribution with train and test folders use :class:`EventFolder`.

    Args:
        data_root: The folder ``Caltech101``.
        split: 'train' or 'test'.
        train_share: Share of each class that is training data.
        seed: Seed by which the training data are drawn.
        **kwargs: Other arguments of :class:`EventFolder`.
    """

    METAINFO = {'classes': tuple(name for name in CALTECH101_CATEGORIES if name != 'Faces')}  # as the authors decided
    SENSOR_SIZE = 180, 240
    HINT = ('N-Caltech101 is on https://www.garrickorchard.com/datasets/n-caltech101. Expected in `data_root`: the 101 '
            'folders of Caltech101.zip, accordion/image_0001.bin and so on.')

    def __init__(
        self, data_root: str, *, split: str = 'train', train_share: float = 0.9, seed: int = 0, **kwargs,
    ) -> None:
        super().__init__(data_root, split=split, train_share=train_share, seed=seed, **kwargs)

    def _check_folders(self, found: set[str]) -> None:
        super()._check_folders(found - ({'BACKGROUND_Google'} - set(self.metainfo['classes'])))


@DATASETS.register_module()
class CIFAR10DVS(SplitEventFolder):
    """CIFAR10-DVS: 10,000 recordings of CIFAR-10 images that move on a screen, `CIFAR10-DVS: An Event-Stream Dataset
    for Object Classification <https://doi.org/10.3389/fnins.2017.00309>`_.

    There is no official split. The first 90 % of each class train here, by number: test data are 900 to 999. Published
    results differ in this: the first 90 % of the names sorted as text, as SpikingJelly does it, leave 91 to 99, 909 and
    910 to 999 for the test, and others draw them.

    Args:
        data_root: The folder of the ten class folders.
        split: 'train' or 'test'.
        train_share: Share of each class that is training data.
        seed: Draw the training data with this seed; None takes the first of each class.
        **kwargs: Other arguments of :class:`EventFolder`.
    """

    METAINFO = {'classes': CIFAR10_CATEGORIES}
    SENSOR_SIZE = 128, 128
    HINT = ('CIFAR10-DVS is on https://doi.org/10.6084/m9.figshare.4724671. Expected in `data_root`: ten folders, '
            'airplane/cifar10_airplane_0.aedat and so on.')


@DATASETS.register_module()
class DVS128Gesture(EventDataset):
    """DVS128 Gesture: 11 hand gestures of 29 people, `A Low Power, Fully Event-Based Gesture Recognition System
    <https://openaccess.thecvf.com/content_cvpr_2017/html/Amir_A_Low_Power_CVPR_2017_paper.html>`_.

    This reads the official distribution, in which a recording has many gestures; a row of its table of labels, with
    start and end, is a sample (1,176 and 288). Of the file, only the packets that a sample needs are decoded. Faster is
    what SpikingJelly extracts, ``events_np/train/0/*.npz`` and so on: read that with :class:`EventFolder` and
    ``classes=[str(i) for i in range(11)]``.

    Args:
        data_root: The folder ``DvsGesture``.
        split: 'train' or 'test', which chooses ``trials_to_train.txt`` or ``trials_to_test.txt``.
        **kwargs: Other arguments of mmpretrain's ``BaseDataset``; ``hint`` is that of :class:`CheckedDataset`.
    """

    METAINFO = {'classes': (
        'hand_clapping', 'right_hand_wave', 'left_hand_wave', 'right_arm_clockwise', 'right_arm_counter_clockwise',
        'left_arm_clockwise', 'left_arm_counter_clockwise', 'arm_roll', 'air_drums', 'air_guitar', 'other_gestures')}
    SENSOR_SIZE = 128, 128
    HINT = ('DVS128 Gesture is DvsGesture.tar.gz of https://ibm.ent.box.com/s/3hiq58ww1pbbjrinh367ykfdf60xsfm8. '
            'Expected in `data_root`: user01_fluorescent.aedat, user01_fluorescent_labels.csv and so on, '
            'trials_to_train.txt and trials_to_test.txt.')

    def __init__(self, data_root: str, *, split: str = 'train', **kwargs) -> None:
        check_split(split, ('train', 'test'))
        super().__init__(data_root=data_root, ann_file=f'trials_to_{split}.txt', **kwargs)

    def load_data_list(self) -> list[dict]:
        lines = Path(self.ann_file).read_text(encoding='utf-8').split('\n')
        recordings = [Path(self.ann_file).with_name(line.strip()) for line in lines if line.strip()]
        tables = [path.with_name(f'{path.stem}_labels.csv') for path in recordings]
        self._check_listed([*map(str, recordings), *map(str, tables)])
        samples = []
        for path, table in zip(recordings, tables, strict=True):
            for label, start, end in self._read_table(table):
                samples.append(self._sample(path, label, t_range=(start, end)))
        return samples

    def _read_table(self, path: Path) -> list[tuple[int, int, int]]:
        """Return label from 0, start and end in us of each row; the file counts labels from 1."""
        classes, trials = len(self.metainfo['classes']), []
        with open(path, encoding='utf-8', newline='') as file:
            for number, row in enumerate(csv.reader(file), start=1):
                if number == 1 or not any(row):  # the names of the columns
                    continue
                try:
                    label, start, end = map(int, row)
                except ValueError:
                    label = start = end = 0
                if not (1 <= label <= classes and 0 <= start < end):
                    raise ValueError(self._explain(
                        f'line {number} of {path} must be a class from 1 to {classes}, a start and a later end in us, '
                        f'but is {",".join(row)!r}.'))
                trials.append((label - 1, start, end))
        return trials


@DATASETS.register_module()
class HARDVS(EventDataset):
    """HAR-DVS: 107,646 recordings of 300 human actions with a DAVIS346, `HARDVS: Revisiting Human Activity Recognition
    with Dynamic Vision Sensors <https://arxiv.org/abs/2211.09648>`_.

    A line of the official lists is the path of a recording, a number that is not used, and the label from 0. With
    ``form='events'`` the path is that of an ``.npz`` file (``.npz`` is added); with 'frames' that of a folder of
    pictures, ``results['frame_dir']`` for :class:`SampleClip`, which lists it when it is loaded. Where the first of
    these folders has folders instead of pictures, each folder in a listed one is a sample; all are listed at the start
    then. Those that end in ``_aps``, the camera's grey images, are left out.

    Args:
        data_root: The data's folder.
        split: 'train', 'val' or 'test': chooses the list ``train_label.txt`` and so on.
        form: 'events' or 'frames'.
        data_prefix: Folder that the paths of the lists start from, inside ``data_root``.
        **kwargs: Other arguments of mmpretrain's ``BaseDataset``; ``hint`` is that of :class:`CheckedDataset`.
    """

    METAINFO = {'classes': tuple(f'action_{i:03d}' for i in range(1, 301))}
    SENSOR_SIZE = 260, 346
    HINT = ('HAR-DVS is on https://github.com/Event-AHU/HARDVS: "Event Images" are the frames, "Compact Event file" '
            'the events. Expected in `data_root`: train_label.txt, val_label.txt, test_label.txt and the folders that '
            'they list, action_001 to action_300.')

    def __init__(
        self, data_root: str, *, split: str = 'train', form: str = 'events', data_prefix: str = '', **kwargs,
    ) -> None:
        check_split(split, ('train', 'val', 'test'))
        if form not in ('events', 'frames'):
            raise ValueError(f"`form` must be 'events' or 'frames', but got {form!r}.")
        self.form = form
        super().__init__(data_root=data_root, ann_file=f'{split}_label.txt', data_prefix=data_prefix, **kwargs)

    def load_data_list(self) -> list[dict]:
        paths, labels = self._read_list()
        if self.form == 'events':
            paths = [path if path.lower().endswith(SUFFIXES) else f'{path}.npz' for path in paths]
        self._check_listed(paths)
        if self.form == 'events':
            return [self._sample(path, label) for path, label in zip(paths, labels, strict=True)]
        return [dict(frame_dir=folder, gt_label=label)
                for folders, label in zip(self._find_folders(paths), labels, strict=True) for folder in folders]

    def _read_list(self) -> tuple[list[str], list[int]]:
        classes, paths, labels = len(self.metainfo['classes']), [], []
        for number, line in enumerate(Path(self.ann_file).read_text(encoding='utf-8').split('\n'), start=1):
            fields = line.split()
            if not fields:
                continue
            label = fields[-1]
            if len(fields) < 2 or not label.isdecimal() or int(label) >= classes:
                raise ValueError(self._explain(
                    f'line {number} of {self.ann_file} must be a path and, last, a label from 0 to {classes - 1}, but '
                    f'is {line.strip()!r}.'))
            paths.append(os.path.join(self.img_prefix, fields[0].rstrip('/')))
            labels.append(int(label))
        return paths, labels

    def _find_folders(self, listed: list[str]) -> list[list[str]]:
        """Return, for each listed folder, the folders with its frames."""
        if not listed or list_frames(listed[0]):
            return [[folder] for folder in listed]
        parts = [listed[i:i + LISTED_AT_ONCE] for i in range(0, len(listed), LISTED_AT_ONCE)]
        with ThreadPoolExecutor(LISTING_THREADS) as pool:
            folders = [inside for part in pool.map(lambda part: [*map(list_clips, part)], parts) for inside in part]
        empty = [folder for folder, inside in zip(listed, folders, strict=True) if not inside]
        if empty:
            raise FileNotFoundError(self._explain(
                f'{len(empty)} of {len(listed)} folders that {self.ann_file} lists hold no folder of frames. The first '
                f'is {empty[0]}.'))
        return folders


def check_split(split: str, splits: Sequence[str]) -> None:
    if split not in splits:
        raise ValueError(f'`split` must be one of {list(splits)}, but got {split!r}.')


def list_recordings(folder: Path) -> list[str]:
    """Return the paths of the recordings in a folder, in natural order."""
    names = [name for name in os.listdir(folder) if name.lower().endswith(SUFFIXES)]
    return [os.path.join(folder, name) for name in sorted(names, key=natural_key)]


def list_clips(folder: str) -> list[str]:
    """Return the paths of the folders of event frames in a folder, in natural order."""
    names = [entry.name for entry in os.scandir(folder) if entry.is_dir() and not entry.name.endswith('_aps')]
    return [os.path.join(folder, name) for name in sorted(names, key=natural_key)]


def find_missing(paths: Iterable[str]) -> list[str]:
    """Return the paths that do not exist; asks once a folder, as there may be a hundred thousand files."""
    names, missing = {}, []
    for path in paths:
        folder, name = os.path.split(path)
        if folder not in names:
            names[folder] = set(os.listdir(folder)) if os.path.isdir(folder) else set()
        if name not in names[folder]:
            missing.append(path)
    return missing
