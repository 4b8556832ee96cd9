import numpy as np
import pytest
from mmseg.datasets.transforms import LoadAnnotations
from PIL import Image

from spikemm.datasets.transforms import LoadSegMap
from spikemm.datasets.transforms.on_error import skipped_images

LABELS = np.arange(6, dtype=np.uint8).repeat(12).reshape(8, 9)


def results(path, **kwargs):
    """Of an image of 9 x 8 pixels that has been enlarged, as a test does before it loads the mask."""
    return {**dict(seg_map_path=str(path), seg_fields=[], ori_shape=(8, 9), img_shape=(16, 18), num_classes=6,
                   ignore_index=255, reduce_zero_label=False, label_map=None), **kwargs}


@pytest.fixture
def load(tmp_path):
    """Store an array and load it as a mask."""

    def store_and_load(labels, extension='.png', **kwargs):
        path = tmp_path / f'mask{extension}'
        Image.fromarray(labels).save(path)
        return LoadSegMap()(results(path, **kwargs))['gt_seg_map']

    return store_and_load


@pytest.mark.parametrize('reduce_zero_label', [False, True])
@pytest.mark.parametrize('label_map', [None, {0: 1, 1: 0, 2: 255, 3: 2, 4: 3, 5: 255}])
def test_labels_are_those_of_mmseg(tmp_path, reduce_zero_label, label_map):
    labels = LABELS.copy()
    labels[0, :2] = 254, 255
    Image.fromarray(labels).save(tmp_path / 'mask.png')
    kwargs = dict(reduce_zero_label=reduce_zero_label, label_map=label_map, num_classes=255)
    ours = LoadSegMap()(results(tmp_path / 'mask.png', **kwargs))
    mmsegs = LoadAnnotations()(results(tmp_path / 'mask.png', **kwargs))
    np.testing.assert_array_equal(ours['gt_seg_map'], mmsegs['gt_seg_map'])
    assert ours['gt_seg_map'].dtype == mmsegs['gt_seg_map'].dtype == np.uint8
    assert ours['seg_fields'] == mmsegs['seg_fields'] == ['gt_seg_map']


@pytest.mark.parametrize('ignore_index', [254, 11])
def test_classes_that_the_dataset_leaves_out_get_its_ignore_index(load, ignore_index):
    label_map = {0: 255, 1: 0, 2: 255, 3: 1, 4: 255, 5: 255}
    labels = load(LABELS, num_classes=2, ignore_index=ignore_index, label_map=label_map)
    assert labels[LABELS == 3].tolist() == [1] * 12
    assert set(labels[LABELS == 2]) == {ignore_index}


def test_labels_of_16_bits_do_not_wrap(load):
    labels = LABELS.astype(np.uint16) + 300
    np.testing.assert_array_equal(load(labels, num_classes=306, ignore_index=65535), labels)


def test_label_zero_of_16_bits_becomes_the_ignore_index(load):
    labels = load(LABELS.astype(np.uint16) * 100, num_classes=500, ignore_index=65535, reduce_zero_label=True)
    assert np.unique(labels).tolist() == [99, 199, 299, 399, 499, 65535]


def test_unknown_labels_are_named_with_the_remedy(load):
    with pytest.raises(ValueError, match=r'mask\.png \(labels 4, 5, but there are 4 classes, 0 to 3, and the ignore '
                                         r'index 255; reduce_zero_label=False, which would be True'):
        load(LABELS, num_classes=4)


def test_the_ignore_index_is_no_unknown_label(load):
    assert load(np.where(LABELS == 5, np.uint8(77), LABELS), num_classes=5, ignore_index=77).max() == 77


def test_labels_are_not_compared_where_the_classes_are_not_known(load):
    assert load(LABELS, num_classes=None).max() == 5


def test_the_labels_are_compared_after_they_are_reduced(load):
    assert load(LABELS, num_classes=5, reduce_zero_label=True).max() == 255


@pytest.mark.parametrize(('labels', 'reason'), [
    (np.zeros((9, 8), np.uint8), r'it is 8 x 9 pixels, the image 9 x 8'),
    (np.zeros((8, 9, 3), np.uint8), 'it has 3 channels'),
    (np.zeros((8, 9, 4), np.uint8), 'it has 4 channels'),
    (np.full((8, 9), 70000, np.int32), 'int32, 70000 to 70000; labels are 0 to 65535'),
    (np.zeros((8, 9), np.float32), 'its values are float32'),
])
def test_an_array_that_is_no_mask_of_the_image_is_refused(load, labels, reason):
    with pytest.raises(ValueError, match=reason):
        load(labels, '.tif')


@pytest.mark.parametrize(('content', 'reason'), [
    (lambda whole: b'', 'the file is empty'),
    (lambda whole: whole[:len(whole) // 2], 'truncated'),
    (lambda whole: b'not an image', 'cut off or not an image'),
])
def test_a_damaged_file_is_named(tmp_path, content, reason):
    path = tmp_path / 'mask.png'
    Image.fromarray(np.random.default_rng(0).integers(0, 6, (8, 9), dtype=np.uint8)).save(path)
    path.write_bytes(content(path.read_bytes()))
    with pytest.raises(ValueError, match=rf"the mask {path} \(.*{reason}.*type='spikemm\.LoadSegMap', on_error='skip'"):
        LoadSegMap()(results(path))


def test_skip_gives_none_and_counts(tmp_path):
    before = skipped_images().value
    assert LoadSegMap(on_error='skip')(results(tmp_path / 'gone.png')) is None
    assert skipped_images().value == before + 1


def test_an_unknown_on_error_is_refused():
    with pytest.raises(ValueError, match="`on_error` must be 'raise' or 'skip', but got 'ignore'"):
        LoadSegMap(on_error='ignore')
