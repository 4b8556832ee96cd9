"""mmseg's datasets, with errors that say what is wrong with the data."""

from pathlib import Path

from mmcv.transforms import LoadAnnotations
from mmengine.fileio import LocalBackend, get_file_backend
from mmseg import datasets as mmseg

from spikemm.datasets.checks import CheckedDataset
from spikemm.registry import DATASETS


@DATASETS.register_module()
class SegDataset(CheckedDataset, mmseg.BaseSegDataset):
    """mmseg's ``BaseSegDataset`` (a folder of images, a folder of masks) with checked data.

    Besides the checks of :class:`CheckedDataset`, ``metainfo`` must give the classes, and every image must have its
    mask, where masks are loaded. Number of classes and ignore index travel with each sample, so that
    :class:`spikemm.datasets.transforms.LoadSegMap` knows which labels there can be.

    Example::

        dataset=dict(
            type='spikemm.SegDataset',
            data_root='data/digit_scenes/segmentation',
            data_prefix=dict(img_path='images/training', seg_map_path='annotations/training'),
            metainfo=dict(classes=['background', *'0123456789']),
            reduce_zero_label=True)

    Args:
        *args, **kwargs: Arguments of ``BaseSegDataset``; ``hint`` is that of :class:`CheckedDataset`.
    """

    def get_data_info(self, idx: int) -> dict:
        num_classes = len(self.metainfo['classes'])
        return dict(super().get_data_info(idx), num_classes=num_classes, ignore_index=self.ignore_index)

    def load_data_list(self) -> list[dict]:
        data_list = super().load_data_list()
        if self._wants_masks():
            self._check_pairs(data_list)
        return data_list

    def _wants_masks(self) -> bool:
        return any(isinstance(step, LoadAnnotations) for step in self.pipeline.transforms)

    def _check_paths(self) -> None:
        self._check_classes()
        self._check_prefix('img_path')
        if self._wants_masks() and not self.data_prefix.get('seg_map_path'):
            raise ValueError(self._explain(f'the pipeline loads masks, so `data_prefix` must name their folder as '
                                           f"'seg_map_path', but got {self.data_prefix!r}."))
        super()._check_paths()

    def _check_pairs(self, data_list: list[dict]) -> None:
        if not isinstance(get_file_backend(self.data_prefix['seg_map_path']), LocalBackend):
            return  # a request a file would take long
        alone = [info for info in data_list if not Path(info['seg_map_path']).is_file()]
        if alone:
            image, mask = alone[0]['img_path'], alone[0]['seg_map_path']
            raise FileNotFoundError(self._explain(f'{len(alone)} of {len(data_list)} images have no mask. The first is '
                                                  f'{image}: {mask} does not exist.'))

    def _source(self) -> str:
        return str(self.ann_file or Path(self.data_prefix['img_path'], f'*{self.img_suffix}'))


@DATASETS.register_module()
class ADE20KDataset(SegDataset, mmseg.ADE20KDataset):
    """mmseg's ``ADE20KDataset`` with checked data."""

    HINT = ('ADE20K is ADEChallengeData2016.zip of https://sceneparsing.csail.mit.edu. Expected in `data_root`: '
            'images/training, images/validation, annotations/training and annotations/validation.')


@DATASETS.register_module()
class PascalVOCDataset(SegDataset, mmseg.PascalVOCDataset):
    """mmseg's ``PascalVOCDataset`` with checked data."""

    HINT = ('Pascal VOC is on http://host.robots.ox.ac.uk/pascal/VOC. Expected in `data_root`, VOCdevkit/VOC2012: '
            'JPEGImages, SegmentationClass and ImageSets/Segmentation; of the augmented set SegmentationClassAug.')
