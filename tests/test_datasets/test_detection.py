import json
import math

import cv2
import numpy as np
import pytest
from mmengine.registry import DATASETS, DefaultScope
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from spikemm.datasets import CocoDataset

HEIGHT, WIDTH = 48, 64
SQUARE = [[8, 8, 24, 8, 24, 24, 8, 24]]
LOAD = [{'type': 'spikemm.LoadImage'}, {'type': 'mmdet.LoadAnnotations', 'with_bbox': True, 'with_mask': True},
        {'type': 'mmdet.PackDetInputs'}]


class Scene:
    """A folder with two images, ``0.jpg`` with one good cat and ``1.jpg`` with the annotations given."""

    def __init__(self, root):
        self.root = root
        self.content = {
            'images': [{'id': i, 'file_name': f'{i}.jpg', 'height': HEIGHT, 'width': WIDTH} for i in range(2)],
            'categories': [{'id': 3, 'name': 'cat'}, {'id': 7, 'name': 'dog'}, {'id': 8, 'name': 'bird'}],
            'annotations': [],
        }
        self.add(image_id=0)
        (root / 'train').mkdir()
        for i in range(2):
            pixels = np.random.default_rng(i).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
            cv2.imwrite(str(root / f'train/{i}.jpg'), pixels)

    def add(self, **changes):
        good = {'image_id': 1, 'category_id': 3, 'bbox': [8, 8, 16, 16], 'area': 256, 'segmentation': SQUARE,
                'iscrowd': 0}
        self.content['annotations'].append({'id': 100 + len(self.content['annotations']), **good, **changes})

    def dataset(self, **kwargs):
        (self.root / 'train.json').write_text(json.dumps(self.content))
        return CocoDataset(**{**dict(
            data_root=str(self.root), ann_file='train.json', data_prefix=dict(img='train/'),
            metainfo=dict(classes=('cat', 'dog')), pipeline=LOAD), **kwargs})

    def sample(self, index=1, **kwargs):
        return self.dataset(**kwargs)[index]['data_samples']


@pytest.fixture
def scene(tmp_path):
    return Scene(tmp_path)


@pytest.fixture
def logged(monkeypatch):
    lines = []
    monkeypatch.setattr('spikemm.datasets.detection.print_log', lambda message, *_: lines.append(message))
    return lines


def test_boxes_labels_and_masks_are_read_through_the_registry_in_mmdets_scope(scene):
    scene.add(category_id=7, bbox=[1, 2, 3, 4])
    scene.dataset()
    cfg = dict(type='spikemm.CocoDataset', data_root=str(scene.root), ann_file='train.json',
               data_prefix=dict(img='train/'), metainfo=dict(classes=('cat', 'dog')), pipeline=[
                   dict(type='spikemm.LoadImage'), dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
                   dict(type='PackDetInputs')])
    with DefaultScope.overwrite_default_scope('mmdet'):
        sample = DATASETS.build(cfg)[1]['data_samples']
    assert sample.gt_instances.bboxes.tensor.tolist() == [[1, 2, 4, 6]]
    assert sample.gt_instances.labels.tolist() == [1]
    assert sample.gt_instances.masks.masks[0].sum() == 256
    assert (sample.ori_shape, sample.img_shape, sample.img_id) == ((HEIGHT, WIDTH), (HEIGHT, WIDTH), 1)


LEFT_OUT = {
    'of a category id that the file does not define': dict(category_id=99),
    'of a category that is not in `classes`': dict(category_id=8),
    'with a box of zero area': dict(bbox=[8, 8, 0, 16]),
    'with a box below 1 pixel': dict(bbox=[8, 8, 0.5, 16]),
    'with a box outside the image': dict(bbox=[WIDTH + 1, 8, 16, 16]),
    'whose box or area is not made of numbers': dict(bbox=[8, 8, math.nan, 16]),
    "marked 'ignore'": dict(ignore=True),
}


@pytest.mark.parametrize('problem', LEFT_OUT)
def test_an_annotation_that_cannot_be_learned_from_is_left_out_and_counted(scene, logged, problem):
    scene.add(**LEFT_OUT[problem])
    scene.add(bbox=[8, 8, 20, 20])
    assert scene.sample().gt_instances.bboxes.tensor.tolist() == [[8, 8, 28, 28]]
    assert len(logged) == 1
    assert f'1 {problem} (first: annotation 101 of 1.jpg)' in logged[0]
    assert '2 of 2 images and 2 of 3 annotations' in logged[0]


def test_a_box_that_the_border_leaves_below_one_pixel_is_left_out(scene, logged):
    scene.add(bbox=[WIDTH - 0.001, 8, 16, 16])
    assert len(scene.sample().gt_instances) == 0
    assert '1 with a box below 1 pixel' in logged[0]


CODE = coco_mask.encode(np.asfortranarray(np.ones((HEIGHT, WIDTH), np.uint8)))['counts'].decode()
FULL = {'size': [HEIGHT, WIDTH], 'counts': CODE}
UNUSABLE_MASKS = {
    'without a mask': None,
    'with a mask that is no polygon': [[8, 8, 24, 8]],
    'with a mask outside the image': [[WIDTH + 1, 8, WIDTH + 9, 8, WIDTH + 9, 24]],
    'with a mask that is not a run-length code of the size of its image': {'size': [WIDTH, HEIGHT], 'counts': CODE},
}


@pytest.mark.parametrize('problem', UNUSABLE_MASKS)
def test_an_object_whose_mask_cannot_be_used_is_ignored_and_counted(scene, logged, problem):
    scene.add(segmentation=UNUSABLE_MASKS[problem])
    sample = scene.sample()
    assert len(sample.gt_instances) == 0
    assert sample.ignored_instances.bboxes.tensor.tolist() == [[8, 8, 24, 24]]
    assert f'1 of 2 annotations of {scene.root}/train.json' in logged[0]
    assert f'1 {problem} (first: annotation 101 of 1.jpg)' in logged[0]


@pytest.mark.parametrize('part', [[math.nan, 8, 24, 8, 24, 24], [1e12, 8, 24, 8, 24, 24], [8, 8, 24, 8, 24],
                                  ['a', 8, 24, 8, 24, 24], [[8, 8], [24, 8], [24, 24]]])
def test_a_polygon_that_pycocotools_cannot_draw_is_left_out_of_its_mask(scene, logged, part):
    scene.add(segmentation=[*SQUARE, part])
    assert scene.sample().gt_instances.masks.masks[0].sum() == 256
    assert '2 of 2 annotations' in logged[0]
    assert '1 with a part of the mask' in logged[0]


def test_a_mask_partly_outside_is_clipped(scene, logged):
    scene.add(bbox=[56, 8, 16, 16], segmentation=[[56, 8, 72, 8, 72, 24, 56, 24]])
    assert scene.sample().gt_instances.masks.masks[0].sum() == 8 * 16
    assert not logged


@pytest.mark.parametrize('counts', [CODE, [0, HEIGHT * WIDTH]], ids=['compressed', 'plain'])
def test_a_run_length_code_is_drawn(scene, logged, counts):
    scene.add(segmentation={'size': [HEIGHT, WIDTH], 'counts': counts})
    assert scene.sample().gt_instances.masks.masks[0].sum() == HEIGHT * WIDTH
    assert not logged


@pytest.mark.parametrize('counts', [CODE[:-1], 'zzzz', [0, 5], [0, -5, HEIGHT * WIDTH + 5], None])
def test_a_damaged_run_length_code_is_not_drawn(scene, logged, counts):
    scene.add(segmentation={'size': [HEIGHT, WIDTH], 'counts': counts})
    assert len(scene.sample().gt_instances) == 0
    assert 'not a run-length code' in logged[0]


def test_masks_are_not_looked_at_where_none_are_loaded(scene, logged):
    scene.add(segmentation=None)
    pipeline = [LOAD[0], {'type': 'mmdet.LoadAnnotations', 'with_bbox': True}, LOAD[2]]
    assert len(scene.sample(pipeline=pipeline).gt_instances) == 1
    assert not logged


def test_a_crowd_is_ignored_as_in_mmdet(scene, logged):
    scene.add(iscrowd=1, segmentation={'size': [HEIGHT, WIDTH], 'counts': [0, HEIGHT * WIDTH]})
    sample = scene.sample()
    assert (len(sample.gt_instances), len(sample.ignored_instances)) == (0, 1)
    assert not logged


def test_an_image_without_annotations_is_kept_or_filtered_and_counted(scene, logged):
    kept = scene.dataset()
    filtered = scene.dataset(filter_cfg=dict(filter_empty_gt=True))
    assert (len(kept), len(filtered)) == (2, 1)
    assert len(kept[1]['data_samples'].gt_instances) == 0
    assert '1 images have no annotation to learn from; filter_cfg=None leaves out 0 images' in logged[0]
    assert "filter_cfg={'filter_empty_gt': True} leaves out 1 images" in logged[1]


@pytest.mark.parametrize('changes', [dict(bbox=[8, 8, 0, 16]), dict(segmentation=None)])
def test_an_image_whose_annotations_are_all_left_out_counts_as_empty(scene, changes):
    scene.add(**changes)
    assert len(scene.dataset(filter_cfg=dict(filter_empty_gt=True))) == 1


def test_a_test_dataset_keeps_every_image(scene):
    assert len(scene.dataset(filter_cfg=dict(filter_empty_gt=True), test_mode=True)) == 2


@pytest.mark.parametrize(('changes', 'reason'), [
    (dict(iscrowd=None), 'iscrowd'),
    (dict(id='a'), 'id is not a number'),
    (dict(bbox=[8, 8, 16]), 'box or area'),
    (dict(bbox=[8, 8, '16', 16]), 'box or area'),
    (dict(area='256'), 'box or area'),
    (dict(segmentation=None), 'mask'),
    (dict(segmentation=[]), 'mask'),
    (dict(segmentation=[5, 5, 25, 25]), 'mask'),
    (dict(segmentation=[[5, 5, 25, 25]]), 'mask'),
    (dict(segmentation=['abc']), 'mask'),
    (dict(segmentation=[*SQUARE, [5, 5]]), 'mask'),
    (dict(segmentation={'size': [WIDTH, HEIGHT], 'counts': CODE}), 'mask'),
])
def test_a_file_that_the_evaluation_would_fail_on_is_refused_for_tests_only(scene, changes, reason):
    scene.add(**{'id': 101, **changes, 'ignore': 1})  # COCO's evaluation does not look at `ignore`
    assert len(scene.dataset()) == 2
    with pytest.raises(ValueError, match=rf'train\.json cannot be used: .* annotation {changes.get("id", 101)} of '
                                         rf'1\.jpg, whose .*{reason}.*: {{'):
        scene.dataset(test_mode=True)


def test_a_missing_iscrowd_is_refused_for_tests(scene):
    del scene.content['annotations'][0]['iscrowd']
    with pytest.raises(ValueError, match=r"annotation 100 of 0\.jpg, whose 'iscrowd' is not 0 or 1"):
        scene.dataset(test_mode=True)


@pytest.mark.parametrize('changes', [
    dict(bbox=[8, 8, 0, 16]), dict(area=0), dict(category_id=99, bbox=[1]), dict(category_id=8, bbox=[1]),
    dict(segmentation=[*SQUARE, [8, 8, 24, 8]]), dict(bbox=[WIDTH + 1, 8, 16, 16]), dict(image_id=55, bbox=[1]),
    dict(segmentation=[[WIDTH + 1, 8, WIDTH + 9, 8, WIDTH + 9, 24]])])
def test_what_the_evaluation_takes_is_no_reason_to_refuse_a_test(scene, changes):
    scene.add(**changes)
    assert len(scene.dataset(test_mode=True)) == 2
    results = [dict(image_id=0, category_id=3, bbox=[8, 8, 16, 16], score=1.0, segmentation=FULL)]
    truth = COCO(str(scene.root / 'train.json'))
    for kind in ('bbox', 'segm'):
        evaluation = COCOeval(truth, truth.loadRes([dict(results[0])]), kind)
        evaluation.params.catIds = [3, 7]
        evaluation.evaluate()
        assert any(evaluation.evalImgs)


def test_masks_that_no_test_loads_are_not_looked_at(scene):
    scene.add(segmentation=None)
    assert len(scene.dataset(test_mode=True, pipeline=[LOAD[0]])) == 2


def test_an_annotation_of_an_unlisted_image_is_counted(scene, logged):
    scene.add(image_id=55)
    scene.dataset()
    assert '1 of an image that the file does not list (first: annotation 101)' in logged[0]
    assert '1 of 2 annotations' in logged[0]


def test_a_file_without_any_usable_annotation_is_refused_for_training_only(scene):
    scene.content['annotations'] = []
    scene.add(area=0)
    with pytest.raises(ValueError, match=r'none of the 1 annotations of .*train\.json .*: 1 with a box of zero area'):
        scene.dataset()
    assert len(scene.dataset(test_mode=True)) == 2


def test_test_images_come_without_annotations(scene):
    del scene.content['annotations']
    assert len(scene.dataset(test_mode=True)) == 2


def test_filtering_every_image_away_is_refused(scene):
    with pytest.raises(ValueError, match=r'no sample in .*train\.json'):
        scene.dataset(filter_cfg=dict(min_size=500))


def test_a_class_without_category_is_refused_with_both_lists(scene):
    with pytest.raises(ValueError, match=r'no category is called Cat\. The categories are cat, dog, bird; .* Cat, dog'):
        scene.dataset(metainfo=dict(classes=('Cat', 'dog')))


def test_classes_in_another_order_than_the_categories_are_refused(scene):
    with pytest.raises(ValueError, match='in the order of `classes`'):
        scene.dataset(metainfo=dict(classes=('dog', 'cat')))


def test_two_categories_of_one_name_are_refused(scene):
    scene.content['categories'].append({'id': 9, 'name': 'dog'})
    with pytest.raises(ValueError, match='each class once'):
        scene.dataset()


@pytest.mark.parametrize('classes', ['cat', (), ('cat', 'cat'), (1, 2)])
def test_classes_that_are_no_list_of_names_are_refused(scene, classes):
    with pytest.raises(ValueError, match='`metainfo` must give `classes`, a list of different names'):
        scene.dataset(metainfo=dict(classes=classes))


@pytest.mark.parametrize(('content', 'reason'), [
    ('{"images": [', 'Expecting value'),
    ('', 'Expecting value'),
    ('[1, 2]', 'format'),
    ('{"shapes": []}', "no list of 'images'"),
    ('{"images": [3]}', "no list of 'images'"),
    ('{"images": [{"id": 1, "height": 4, "width": 4}]}', "one of its 'images' has no 'file_name'"),
])
def test_a_file_that_is_not_coco_json_is_refused(scene, content, reason):
    scene.dataset()
    (scene.root / 'other.json').write_text(content)
    with pytest.raises(ValueError, match=rf'{scene.root}/other\.json cannot be used: .*{reason}'):
        CocoDataset(data_root=str(scene.root), ann_file='other.json', data_prefix=dict(img='train'))


@pytest.mark.parametrize(('part', 'field'), [('annotations', 'area'), ('categories', 'name'), ('images', 'width')])
def test_a_missing_field_is_named(scene, part, field):
    del scene.content[part][0][field]
    with pytest.raises(ValueError, match=rf"train\.json cannot be used: one of its '{part}' has no '{field}'"):
        scene.dataset()


@pytest.mark.parametrize(('part', 'field'), [
    ('images', 'id'), ('categories', 'id'), ('annotations', 'id'), ('annotations', 'image_id'),
    ('annotations', 'category_id')])
def test_an_id_that_is_a_list_is_named(scene, part, field):
    scene.content[part][0][field] = [1]
    with pytest.raises(ValueError, match=rf"train\.json cannot be used: one of its '{part}' has a list or a dict as "
                                         rf"'{field}': .*\[1\]"):
        scene.dataset()


def test_an_id_used_twice_is_refused(scene):
    scene.content['images'].append(dict(scene.content['images'][0], file_name='other.jpg'))
    with pytest.raises(ValueError, match="some of its 'images' have the same id"):
        scene.dataset()


def test_an_image_of_no_size_is_refused(scene):
    scene.content['images'][0]['height'] = 0
    with pytest.raises(ValueError, match=r'numbers of pixels: .*0\.jpg'):
        scene.dataset()


def test_a_missing_folder_is_named_with_the_hint(scene):
    with pytest.raises(FileNotFoundError, match=rf'{scene.root}/val2017 does not exist\. COCO is on'):
        scene.dataset(data_prefix=dict(img='val2017'))


def test_the_image_folder_must_be_named(scene):
    with pytest.raises(ValueError, match="`data_prefix` must name the folder of the images as 'img'"):
        scene.dataset(data_prefix=dict(img_path='train'))
