import cv2
import numpy as np
import pytest
from mmengine.registry import DATASETS, DefaultScope
from PIL import Image

from spikemm.datasets import ADE20KDataset, PascalVOCDataset, SegDataset

LOAD = [{'type': 'spikemm.LoadImage'}, {'type': 'spikemm.LoadSegMap'}, {'type': 'mmseg.PackSegInputs'}]
LABELS = np.arange(6, dtype=np.uint8).repeat(12).reshape(8, 9)


@pytest.fixture
def root(tmp_path):
    """Images and masks ``a`` and ``b`` of 9 x 8 pixels, with the labels 0 to 5."""
    for name in ('images', 'masks'):
        (tmp_path / name).mkdir()
    for name in 'ab':
        cv2.imwrite(str(tmp_path / f'images/{name}.jpg'), np.full((8, 9, 3), 90, np.uint8))
        Image.fromarray(LABELS).save(tmp_path / f'masks/{name}.png')
    return tmp_path


def settings(root, **kwargs):
    return {**dict(
        data_root=str(root), data_prefix=dict(img_path='images', seg_map_path='masks'), pipeline=LOAD,
        metainfo=dict(classes=list('012345'))), **kwargs}


def test_images_and_masks_are_read_through_the_registry_in_mmsegs_scope(root):
    cfg = dict(settings(root), type='spikemm.SegDataset', pipeline=[*LOAD[:2], dict(type='PackSegInputs')])
    with DefaultScope.overwrite_default_scope('mmseg'):
        dataset = DATASETS.build(cfg)
    sample = dataset[1]
    assert len(dataset) == 2
    assert sample['inputs'].shape == (3, 8, 9)
    assert sample['data_samples'].img_path.endswith('b.jpg')
    np.testing.assert_array_equal(sample['data_samples'].gt_sem_seg.data[0], LABELS)
    assert (sample['data_samples'].ori_shape, sample['data_samples'].img_shape) == ((8, 9), (8, 9))


def test_an_image_without_mask_is_refused_naming_both(root):
    (root / 'masks/b.png').unlink()
    with pytest.raises(FileNotFoundError, match=rf'1 of 2 images have no mask\. .*b\.jpg: {root}/masks/b\.png does'):
        SegDataset(**settings(root))


def test_a_missing_folder_of_masks_is_named_with_the_hint(root):
    with pytest.raises(FileNotFoundError, match=rf'{root}/none does not exist\. Make it'):
        SegDataset(**settings(root, data_prefix=dict(img_path='images', seg_map_path='none'), hint='Make it'))


def test_masks_that_the_pipeline_loads_must_have_a_folder(root):
    with pytest.raises(ValueError, match="their folder as 'seg_map_path'"):
        SegDataset(**settings(root, data_prefix=dict(img_path='images')))


def test_test_images_may_come_without_masks(root):
    pipeline = [LOAD[0], LOAD[2]]
    dataset = SegDataset(**settings(root, data_prefix=dict(img_path='images'), pipeline=pipeline, test_mode=True))
    assert 'gt_sem_seg' not in dataset[0]['data_samples']


def test_classes_must_be_given(root):
    with pytest.raises(ValueError, match='`metainfo` must give `classes`'):
        SegDataset(**settings(root, metainfo=None))


def test_images_of_another_suffix_are_not_found_and_the_suffix_is_named(root):
    with pytest.raises(ValueError, match=rf'no sample in {root}/images/\*\.jpeg'):
        SegDataset(**settings(root, img_suffix='.jpeg'))


def test_ade20k_says_which_layout_it_expects(tmp_path):
    with pytest.raises(FileNotFoundError, match='annotations/training'):
        ADE20KDataset(data_root=str(tmp_path), data_prefix=dict(img_path='images/training'))


def test_ade20k_ignores_label_zero(root):
    labels = ADE20KDataset(**settings(root, metainfo=None))[0]['data_samples'].gt_sem_seg.data[0]
    np.testing.assert_array_equal(labels, np.where(LABELS == 0, 255, LABELS - 1))


def test_pascal_voc_reads_palette_masks(root):
    (root / 'train.txt').write_text('a\n')
    mask = Image.fromarray(LABELS).convert('P')
    mask.putpalette(np.arange(768) % 251)
    mask.save(root / 'masks/a.png')
    dataset = PascalVOCDataset(**settings(root, ann_file='train.txt', metainfo=None))
    assert len(dataset) == 1
    np.testing.assert_array_equal(dataset[0]['data_samples'].gt_sem_seg.data[0], LABELS)


def test_pascal_voc_says_which_layout_it_expects(root):
    with pytest.raises(FileNotFoundError, match='ImageSets/Segmentation'):
        PascalVOCDataset(**settings(root, ann_file='val.txt', metainfo=None))


def test_a_test_dataset_may_not_skip_masks(root):
    pipeline = [LOAD[0], {'type': 'spikemm.LoadSegMap', 'on_error': 'skip'}]
    with pytest.raises(ValueError, match='is for training'):
        SegDataset(**settings(root, pipeline=pipeline, test_mode=True))


def test_an_image_whose_mask_is_cut_off_is_replaced_by_another_in_training(root):
    whole = (root / 'masks/a.png').read_bytes()
    (root / 'masks/a.png').write_bytes(whole[:len(whole) // 2])
    pipeline = [LOAD[0], {'type': 'spikemm.LoadSegMap', 'on_error': 'skip'}, LOAD[2]]
    assert SegDataset(**settings(root, pipeline=pipeline))[0]['data_samples'].img_path.endswith('b.jpg')
