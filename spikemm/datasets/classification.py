"""mmpretrain's classification datasets, with errors that say how to get the data."""

from mmpretrain import datasets as mmpretrain

from spikemm.datasets.checks import CheckedDataset
from spikemm.registry import DATASETS


@DATASETS.register_module()
class ImageFolder(CheckedDataset, mmpretrain.CustomDataset):
    """mmpretrain's ``CustomDataset`` (a folder a class, or an annotation file) with checked data.

    Give ``classes``: without them the folders that happen to be there decide the labels, so that an empty class of the
    val data, which many tools leave out, would shift all labels after it.

    Example::

        dataset=dict(
            type='spikemm.ImageFolder',
            data_root='data/digit_scenes/classification',
            data_prefix='train',
            classes=list('0123456789'),
            hint='Make it with: python tools/dataset_converters/digit_scenes.py classification')

    Args:
        *args, **kwargs: Arguments of ``CustomDataset``; ``hint`` is that of :class:`CheckedDataset`.
    """

    def _find_samples(self) -> list[tuple[str, int]]:
        try:
            return super()._find_samples()
        except (AssertionError, RuntimeError) as error:  # no image, or not one folder a class
            raise ValueError(self._explain(f'{self.img_prefix}: {error}')) from error


@DATASETS.register_module()
class ImageNet(ImageFolder, mmpretrain.ImageNet):
    """mmpretrain's ``ImageNet`` with checked data."""

    HINT = ('ImageNet-1K is on https://image-net.org (account needed). Expected in `data_root`: 1000 folders such as '
            'train/n01440764 and val/n01440764, or flat train/ and val/ with meta/train.txt and meta/val.txt.')


@DATASETS.register_module()
class CIFAR10(mmpretrain.CIFAR10):
    """mmpretrain's ``CIFAR10``; without data and network it says where the files belong."""

    def load_data_list(self) -> list[dict]:
        try:
            return super().load_data_list()
        except (AssertionError, OSError, RuntimeError) as error:
            root = self.data_prefix['root']
            raise FileNotFoundError(
                f'{type(self).__name__}: no intact data in {root} ({error}). Get {self.url} (md5 {self.tgz_md5}) on a '
                f'machine with network and unpack it there, so that {root}/{self.base_folder} exists.') from error


@DATASETS.register_module()
class CIFAR100(CIFAR10, mmpretrain.CIFAR100):
    """mmpretrain's ``CIFAR100``, in the same way."""
