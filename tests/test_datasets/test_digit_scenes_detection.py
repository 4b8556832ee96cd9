import filecmp
import json

import cv2
import mmdet.datasets.transforms  # noqa: F401  registers the pipeline
import numpy as np
import pytest
import torch
from mmdet.datasets import CocoDataset
from mmdet.evaluation import CocoMetric
from pycocotools import mask as coco_mask

from spikemm.datasets.digit_scenes import detection, generate_detection
from spikemm.datasets.digit_scenes.scenes import make_scenes

SMALL = {'seed': 3, 'size': 64, 'num_train': 60, 'num_val': 10}
STOCK = [dict(type='mmdet.LoadImageFromFile'), dict(type='mmdet.LoadAnnotations', with_bbox=True, with_mask=True)]


@pytest.fixture(scope='module')
def made(tmp_path_factory):
    return generate_detection(tmp_path_factory.mktemp('data'), **SMALL)


@pytest.fixture(scope='module')
def content(made):
    return {split: json.loads((made / f'annotations/instances_{split}.json').read_text()) for split in ('train', 'val')}


def stock_dataset(made, split):
    return CocoDataset(
        data_root=str(made), ann_file=f'annotations/instances_{split}.json', data_prefix=dict(img=split),
        metainfo=dict(classes=list('0123456789')), pipeline=STOCK)


def test_the_same_arguments_give_the_same_bytes(made, tmp_path):
    again = generate_detection(tmp_path, **SMALL)
    names = [str(path.relative_to(made)) for path in made.rglob('*') if path.is_file()]
    assert len(names) == 60 + 10 + 3
    assert filecmp.cmpfiles(made, again, names, shallow=False)[0] == names


def test_another_seed_gives_other_images(made, tmp_path):
    other = generate_detection(tmp_path, **{**SMALL, 'seed': 4})
    names = [f'train/{i:05d}.jpg' for i in range(49)]
    assert filecmp.cmpfiles(made, other, names, shallow=False)[0] == []


def test_the_file_is_coco(content):
    for split, count in (('train', 60), ('val', 10)):
        images, annotations = content[split]['images'], content[split]['annotations']
        assert content[split]['categories'] == [{'id': i + 1, 'name': str(i)} for i in range(10)]
        assert images[7] == {'id': 7, 'file_name': '00007.jpg', 'height': 64, 'width': 64} and len(images) == count
        assert [a['id'] for a in annotations] == list(range(1, len(annotations) + 1))
        assert {a['iscrowd'] for a in annotations} == {0}
        assert {a['image_id'] for a in annotations} == set(range(count)) - {49}


def test_masks_are_the_digits_that_are_seen(made, content):
    manifest = json.loads((made / 'manifest.json').read_text())
    for split in ('train', 'val'):
        annotations = iter(content[split]['annotations'])
        for i, (labels, scene) in enumerate(make_scenes(manifest, split)):
            for number, label in enumerate(labels):
                annotation = next(annotations)
                assert (annotation['image_id'], annotation['category_id']) == (i, label + 1)
                assert np.array_equal(coco_mask.decode(annotation['segmentation']), scene.owner == number)
        assert next(annotations, None) is None


def test_box_and_area_are_those_of_the_mask(content):
    for annotation in content['train']['annotations']:
        mask = coco_mask.decode(annotation['segmentation'])
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        assert annotation['bbox'] == [columns[0], rows[0], np.ptp(columns) + 1, np.ptp(rows) + 1]
        assert annotation['area'] == mask.sum()


def test_no_pixel_belongs_to_two_digits(content):
    for image in content['train']['images']:
        masks = [coco_mask.decode(a['segmentation']) for a in content['train']['annotations']
                 if a['image_id'] == image['id']]
        assert not masks or np.sum(masks, axis=0).max() == 1


def test_jpeg_keeps_the_scene(made):
    manifest = json.loads((made / 'manifest.json').read_text())
    image = cv2.imread(str(made / 'val/00000.jpg'))[..., ::-1]
    assert np.abs(image - next(make_scenes(manifest, 'val'))[1].image.astype(int)).mean() < 5


def test_mmdets_own_dataset_reads_it(made, content):
    dataset = stock_dataset(made, 'train')
    assert len(dataset) == 60
    annotations = [a for a in content['train']['annotations'] if a['image_id'] == 5]
    sample = dataset[5]
    assert sample['img'].shape == (64, 64, 3)
    assert sample['gt_bboxes_labels'].tolist() == [a['category_id'] - 1 for a in annotations]
    assert not sample['gt_ignore_flags'].any()
    masks = [coco_mask.decode(a['segmentation']) for a in annotations]
    assert masks and np.array_equal(sample['gt_masks'].masks, masks)


def test_mmdets_own_dataset_reads_a_scene_without_digits(made):
    sample = stock_dataset(made, 'train')[49]
    assert len(sample['gt_bboxes']) == len(sample['gt_masks']) == 0


def test_the_truth_scores_full_precision(made):
    dataset = stock_dataset(made, 'val')
    metric = CocoMetric(str(made / 'annotations/instances_val.json'), metric=['bbox', 'segm'])
    metric.dataset_meta = dataset.metainfo
    for sample in (dataset[i] for i in range(len(dataset))):
        truth = dict(
            bboxes=sample['gt_bboxes'].tensor, labels=torch.as_tensor(sample['gt_bboxes_labels']),
            masks=torch.as_tensor(sample['gt_masks'].masks), scores=torch.ones(len(sample['gt_bboxes'])))
        metric.process({}, [dict(img_id=sample['img_id'], ori_shape=sample['ori_shape'], pred_instances=truth)])
    scores = metric.evaluate(len(dataset))
    assert scores['coco/bbox_mAP'] == scores['coco/segm_mAP'] == 1


def test_a_finished_folder_is_left_as_it_is(made):
    before = (made / 'manifest.json').stat().st_mtime_ns
    generate_detection(made.parent, **SMALL)
    assert (made / 'manifest.json').stat().st_mtime_ns == before


@pytest.mark.parametrize('lost', ['train/00003.jpg', 'annotations/instances_val.json'])
def test_a_lost_file_is_made_again(tmp_path, lost):
    few = {**SMALL, 'num_train': 5, 'num_val': 2}
    folder = generate_detection(tmp_path, **few)
    (folder / lost).unlink()
    generate_detection(tmp_path, **few)
    assert (folder / lost).is_file()


def test_other_arguments_make_the_folder_anew(tmp_path):
    few = {**SMALL, 'num_train': 5, 'num_val': 2}
    generate_detection(tmp_path, **few)
    folder = generate_detection(tmp_path, **{**few, 'size': 80})
    assert cv2.imread(str(folder / 'train/00000.jpg')).shape == (80, 80, 3)


def test_an_interrupted_run_leaves_nothing(tmp_path, monkeypatch):
    def interrupt(path, image):
        if path.name == '00002.jpg':
            raise KeyboardInterrupt

    monkeypatch.setattr(detection, 'write_image', interrupt)
    with pytest.raises(KeyboardInterrupt):
        generate_detection(tmp_path, **SMALL)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(('name', 'value'), [('seed', -1), ('size', 63), ('size', 193), ('num_train', 0)])
def test_a_bad_argument_is_named_with_its_value(tmp_path, name, value):
    with pytest.raises(ValueError, match=f'`{name}` must be an integer .* but got {value}'):
        generate_detection(tmp_path, **{**SMALL, name: value})
    assert list(tmp_path.iterdir()) == []
