import filecmp
import json

import cv2
import numpy as np
import pytest
from mmseg.datasets import BaseSegDataset
from mmseg.utils import register_all_modules

from spikemm.datasets.digit_scenes import generate_segmentation
from spikemm.datasets.digit_scenes.scenes import Scene, make_scenes
from spikemm.datasets.digit_scenes.segmentation import label_map

SMALL = {'seed': 3, 'size': 64, 'num_train': 60, 'num_val': 10}


@pytest.fixture(scope='module')
def made(tmp_path_factory):
    return generate_segmentation(tmp_path_factory.mktemp('data'), **SMALL)


@pytest.fixture(scope='module')
def maps(made):
    paths = sorted((made / 'annotations/training').iterdir())
    return [cv2.imread(str(path), cv2.IMREAD_UNCHANGED) for path in paths]


def next_to(mask):
    return cv2.dilate(mask.astype(np.uint8), np.ones((3, 3))).astype(bool) & ~mask


def test_the_same_arguments_give_the_same_bytes(made, tmp_path):
    again = generate_segmentation(tmp_path, **SMALL)
    names = [str(path.relative_to(made)) for path in made.rglob('*') if path.is_file()]
    assert len(names) == 2 * 60 + 2 * 10 + 1
    assert filecmp.cmpfiles(made, again, names, shallow=False)[0] == names


def test_another_seed_gives_other_images(made, tmp_path):
    other = generate_segmentation(tmp_path, **{**SMALL, 'seed': 4})
    names = [f'images/training/{i:05d}.jpg' for i in range(60)]
    assert filecmp.cmpfiles(made, other, names, shallow=False)[0] == []


def test_a_label_map_is_one_byte_a_pixel(maps):
    assert len(maps) == 60
    assert all(labels.dtype == np.uint8 and labels.shape == (64, 64) for labels in maps)
    assert set(np.unique(maps)) == set(range(12))


def test_a_scene_without_digits_is_background(maps):
    assert (maps[49] == 1).all()


def test_the_labels_are_those_of_the_digits_that_are_seen(made, maps):
    manifest = json.loads((made / 'manifest.json').read_text())
    for found, (classes, scene) in zip(maps, make_scenes(manifest, 'train'), strict=True):
        for number, label in enumerate(classes):
            seen = (scene.owner == number) & ~scene.mixed
            assert seen.any() and (found[seen] == label + 2).all()
        assert (found[scene.mixed] == 0).all()
        assert set(found[scene.owner == -1]) <= {0, 1}


def test_the_border_lies_between_digit_and_background(maps):
    for labels in maps:
        assert not (labels[next_to(labels >= 2)] == 1).any()


def test_the_border_is_thin(maps):
    ignored, digits = np.mean([labels == 0 for labels in maps]), np.mean([labels >= 2 for labels in maps])
    assert 0 < ignored < digits


def test_a_border_is_one_pixel_around_a_digit():
    owner, mixed = np.full((5, 5), -1), np.zeros((5, 5), bool)
    owner[2, 2:] = 0
    mixed[0, 0] = True
    labels = label_map([7], Scene(np.zeros((5, 5, 3), np.uint8), owner, mixed))
    assert labels.tolist() == [[0, 1, 1, 1, 1], [1, 0, 0, 0, 0], [1, 0, 9, 9, 9], [1, 0, 0, 0, 0], [1, 1, 1, 1, 1]]


def test_mmsegs_own_dataset_reads_it(made, maps):
    register_all_modules(init_default_scope=False)
    dataset = BaseSegDataset(
        data_root=str(made), data_prefix=dict(img_path='images/training', seg_map_path='annotations/training'),
        metainfo=dict(classes=['background', *'0123456789']), reduce_zero_label=True,
        pipeline=[dict(type='mmseg.LoadImageFromFile'), dict(type='mmseg.LoadAnnotations')])
    assert len(dataset) == 60
    sample = dataset[5]
    assert sample['img'].shape == (64, 64, 3)
    assert np.array_equal(sample['gt_seg_map'], np.where(maps[5] == 0, 255, maps[5].astype(int) - 1))


def test_a_finished_folder_is_left_as_it_is(made):
    before = (made / 'manifest.json').stat().st_mtime_ns
    generate_segmentation(made.parent, **SMALL)
    assert (made / 'manifest.json').stat().st_mtime_ns == before


@pytest.mark.parametrize('lost', ['images/training/00003.jpg', 'annotations/validation/00000.png'])
def test_a_lost_file_is_made_again(tmp_path, lost):
    few = {**SMALL, 'num_train': 5, 'num_val': 2}
    folder = generate_segmentation(tmp_path, **few)
    (folder / lost).unlink()
    generate_segmentation(tmp_path, **few)
    assert (folder / lost).is_file()


@pytest.mark.parametrize(('name', 'value'), [('seed', -1), ('size', 63), ('size', 193), ('num_val', 0)])
def test_a_bad_argument_is_named_with_its_value(tmp_path, name, value):
    with pytest.raises(ValueError, match=f'`{name}` must be an integer .* but got {value}'):
        generate_segmentation(tmp_path, **{**SMALL, name: value})
    assert list(tmp_path.iterdir()) == []
