"""``--tta``, ``--show-dir`` and ``--out`` of ``tools/test.py`` for detection and segmentation, in this process."""

import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config, ConfigDict
from pycocotools import mask as coco_mask
from tiny_tasks import DETECTION, SEGMENTATION, SIZES, write_task

from spikemm.apis import evaluate, evaluate_config, parse_test_args
from spikemm.apis.command_line import augment_test, flips, make_views
from spikemm.apis.inferencers import init_inferencer

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    monkeypatch.setenv('LOCAL_RANK', '0')  # which the command line would set for good
    yield
    torch.set_flush_denormal(False)


@pytest.fixture(scope='module')
def detection(tmp_path_factory):
    return write_task(tmp_path_factory.mktemp('detection'), DETECTION)


@pytest.fixture(scope='module')
def segmentation(tmp_path_factory):
    return write_task(tmp_path_factory.mktemp('segmentation'), SEGMENTATION)


def run_test(task, tmp_path, *flags, out):
    """Run ``tools/test.py`` with flags; return its metrics."""
    options = [] if '--cfg-options' in flags else ['--cfg-options']
    args = parse_test_args([
        *map(str, task), '--work-dir', str(tmp_path), '--out', str(out), *flags, *options,
        f'experiment_name={out.stem}{tmp_path.name}'])  # mmengine's loggers are global and go by this name
    return evaluate(evaluate_config(args), str(out))


def load(path):
    return [found['pred_instances'] for found in pickle.loads(path.read_bytes())]


def test_stored_detections_are_those_of_the_inferencer(detection, tmp_path):
    metrics = run_test(detection, tmp_path, '--show-dir', str(tmp_path / 'shown'), '--interval', '2',
                       out=tmp_path / 'plain.pkl')
    assert {'coco/bbox_mAP', 'coco/segm_mAP'} <= metrics.keys()
    inferencer = init_inferencer(*detection, 'cpu')
    for i, found in enumerate(load(tmp_path / 'plain.pkl')):
        wanted, = inferencer(str(detection[0].parent / 'images' / f'{i}.png'))
        np.testing.assert_allclose(found['bboxes'].numpy(), wanted['bboxes'], atol=1e-3)
        np.testing.assert_array_equal([coco_mask.decode(mask) for mask in found['masks']], wanted['masks'])
    assert sorted(path.name for path in (tmp_path / 'shown').iterdir()) == ['0.png', '2.png']  # every other image
    assert cv2.imread(str(tmp_path / 'shown' / '0.png')).shape == (480, 2 * 640, 3)  # truth and prediction


def test_two_equal_views_of_an_image_give_what_one_gives(detection, tmp_path):
    views = "[dict(type='RandomFlip',prob=0.0),dict(type='RandomFlip',prob=0.0)]"
    twice = tmp_path / 'twice.py'
    twice.write_text(f"""
_base_ = {str(detection[0])!r}
keys = ('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor', 'flip', 'flip_direction')
tta_pipeline = [
    dict(type='LoadImageFromFile'), dict(type='Resize', scale=(128, 96), keep_ratio=True),
    dict(type='TestTimeAug', transforms=[{views}, [dict(type='PackDetInputs', meta_keys=keys)]])]
""")
    run_test(detection, tmp_path, out=tmp_path / 'once.pkl')
    run_test((twice, detection[1]), tmp_path, '--tta', out=tmp_path / 'twice.pkl')
    for once, both in zip(load(tmp_path / 'once.pkl'), load(tmp_path / 'twice.pkl'), strict=True):
        assert len(once['scores']) > 0
        for name in ('bboxes', 'scores', 'labels'):
            torch.testing.assert_close(both[name], once[name])
        assert both['masks'] == once['masks']


def test_flipped_views_are_merged_with_their_masks(detection, tmp_path):
    metrics = run_test(detection, tmp_path, '--tta', out=tmp_path / 'merged.pkl')
    assert 'coco/segm_mAP' in metrics
    sizes = [found['masks'][0]['size'] for found in load(tmp_path / 'merged.pkl')]
    assert sizes == [list(size) for size in SIZES]


def test_segmentations_are_stored_as_maps_and_shown(segmentation, tmp_path):
    run_test(segmentation, tmp_path, '--show-dir', str(tmp_path / 'shown'), out=tmp_path / 'maps')
    inferencer = init_inferencer(*segmentation, 'cpu')
    for i in range(len(SIZES)):
        wanted, = inferencer(str(segmentation[0].parent / 'images' / f'{i}.png'))
        np.testing.assert_array_equal(cv2.imread(str(tmp_path / 'maps' / f'{i}.png'), -1), wanted['sem_seg'])
    assert len(list((tmp_path / 'shown').glob('*.png'))) == len(SIZES)


def test_a_segmentation_is_merged_over_sizes_and_flips(segmentation, tmp_path):
    metrics = run_test(segmentation, tmp_path, '--tta', out=tmp_path / 'merged')
    assert 0 <= metrics['mIoU'] <= 100
    assert cv2.imread(str(tmp_path / 'merged' / '2.png'), -1).shape == SIZES[2]


def make(*steps, scales=None, flip=True):
    load, *steps = (ConfigDict(type=step) if isinstance(step, str) else ConfigDict(step) for step in steps)
    *outside, views = make_views([load, *steps], scales, flip)
    return [step.type for step in outside], views.transforms


def test_events_and_their_frames_are_loaded_before_the_views():
    outside, views = make('spikemm.LoadEvents', 'spikemm.EventFrames', 'CenterCrop', 'Pack')
    assert outside == ['spikemm.LoadEvents', 'spikemm.EventFrames', 'CenterCrop']
    assert [[step.type for step in choice] for choice in views] == [['RandomFlip', 'RandomFlip'], ['Pack']]
    assert make('spikemm.SampleClip', 'spikemm.LoadFrames', 'Pack')[0] == ['spikemm.SampleClip', 'spikemm.LoadFrames']


@pytest.mark.parametrize(('step', 'mirrors'), [
    (dict(type='RandomFlip', prob=0.5), True), (dict(type='mmdet.RandomFlip', direction=['horizontal']), True),
    (dict(type='spikemm.EventFlip'), True), (dict(type='spikemm.EventFlip', direction='polarity'), False),
    (dict(type='RandomCrop'), False)])
def test_views_are_mirrored_only_where_the_training_data_is(step, mirrors):
    dataset = dict(type='RepeatDataset', dataset=dict(pipeline=[dict(type='LoadImage'), step]))
    assert flips(ConfigDict(dict(dataset=dict(datasets=[dataset])))) == mirrors


@pytest.mark.parametrize('name', ['dvs128-gesture', 'nmnist', 'digit-scenes-events'])
def test_gestures_and_digits_have_no_mirrored_views(name):
    config, = (ROOT / 'configs').rglob(f'sdtv2-*_{name}.py')
    cfg = Config.fromfile(config)
    with pytest.raises(ValueError, match='must have a tta_pipeline for --tta'):
        augment_test(cfg)


def test_views_of_several_sizes_need_no_mirror():
    _, views = make('LoadImage', dict(type='Resize', scale=(8, 4)), 'Pack', scales=(0.5, 1.5), flip=False)
    assert [step.scale for step in views[0]] == [(4, 2), (12, 6)]
    assert [step.prob for step in views[1]] == [0]


def test_views_are_made_before_padding_and_the_truth_is_loaded_behind_them():
    outside, views = make('spikemm.LoadImage', dict(type='Resize', scale=(8, 4)), 'LoadAnnotations', 'Pad', 'Pack')
    assert outside == ['spikemm.LoadImage', 'Resize']
    assert [[step.type for step in choice] for choice in views] == [
        ['RandomFlip', 'RandomFlip'], ['Pad'], ['LoadAnnotations'], ['Pack']]
    assert [step.prob for step in views[0]] == [0, 1]  # the first is not flipped: mmseg takes the truth from it


@pytest.mark.parametrize(('resize', 'name', 'sizes'), [
    ([dict(type='Resize', scale=(2048, 512))], 'scale', [(1024, 256), (3072, 768)]),
    ([dict(type='Resize', scale_factor=2.0)], 'scale_factor', [(1.0, 1.0), (3.0, 3.0)]),
    ([], 'scale_factor', [0.5, 1.5]),
])
def test_scales_are_shares_of_the_test_size(resize, name, sizes):
    _, views = make('LoadImageFromFile', *resize, 'Pack', scales=(0.5, 1.5))
    assert [step[name] for step in views[0]] == sizes
    assert len(views) == 3
