"""Datasets and their transforms. The built-in data is made by :mod:`spikemm.datasets.digit_scenes`."""

from spikemm.datasets import transforms
from spikemm.datasets.checks import CheckedDataset
from spikemm.datasets.classification import CIFAR10, CIFAR100, ImageFolder, ImageNet

__all__ = ['CIFAR10', 'CIFAR100', 'CheckedDataset', 'ImageFolder', 'ImageNet', 'transforms']
