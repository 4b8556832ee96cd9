"""Datasets and their transforms. The built-in data is made by :mod:`spikemm.datasets.digit_scenes`."""

from spikemm.datasets import transforms
from spikemm.datasets.checks import CheckedDataset
from spikemm.datasets.classification import CIFAR10, CIFAR100, ImageFolder, ImageNet
from spikemm.datasets.detection import CocoDataset
from spikemm.datasets.event_detection import EventDetDataset
from spikemm.datasets.event_recognition import CIFAR10DVS, HARDVS, NMNIST, DVS128Gesture, EventFolder, NCaltech101
from spikemm.datasets.segmentation import ADE20KDataset, PascalVOCDataset, SegDataset

__all__ = [
    'CIFAR10', 'CIFAR10DVS', 'CIFAR100', 'HARDVS', 'NMNIST', 'ADE20KDataset', 'CheckedDataset', 'CocoDataset',
    'DVS128Gesture', 'EventDetDataset', 'EventFolder', 'ImageFolder', 'ImageNet', 'NCaltech101', 'PascalVOCDataset',
    'SegDataset', 'transforms',
]
