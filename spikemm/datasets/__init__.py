"""Datasets and their transforms. The built-in data is made by :mod:`spikemm.datasets.digit_scenes`."""

from spikemm.datasets import transforms
from spikemm.datasets.checks import CheckedDataset
from spikemm.datasets.classification import CIFAR10, CIFAR100, ImageFolder, ImageNet
from spikemm.datasets.detection import CocoDataset
from spikemm.datasets.segmentation import ADE20KDataset, PascalVOCDataset, SegDataset

__all__ = [
    'CIFAR10', 'CIFAR100', 'ADE20KDataset', 'CheckedDataset', 'CocoDataset', 'ImageFolder', 'ImageNet',
    'PascalVOCDataset', 'SegDataset', 'transforms',
]
