import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.logging import MessageHub
from mmengine.registry import MODELS, DefaultScope
from mmengine.structures import InstanceData
from small_tasks import NMS, mask_rcnn

from spikemm.apis import train
from spikemm.datasets.events import make_events, write_atis


def build(**kwargs):
    with DefaultScope.overwrite_default_scope('mmdet'):
        return MODELS.build(dict(type='spikemm.EventDetDataPreprocessor', **kwargs))


def batch(*clips):
    return dict(inputs=list(clips), data_samples=[DetDataSample() for _ in clips])


def test_time_comes_first():
    a, b = torch.rand(2, 3, 2, 5, 4)
    inputs = build()(batch(a, b))['inputs']
    assert torch.equal(inputs, torch.stack([a, b], dim=1))


def test_packed_clips_are_taken_apart_step_by_step():
    clip = torch.rand(3, 2, 5, 4)
    assert torch.equal(build()(batch(clip.flatten(0, 1)))['inputs'][:, 0], clip)


def test_a_stacked_batch_is_taken_as_a_list_is():
    clips = torch.rand(2, 6, 5, 4)
    stacked = build()(dict(inputs=clips, data_samples=None))['inputs']
    assert torch.equal(stacked, build()(batch(*clips))['inputs'])


def test_clips_are_padded_behind_and_the_samples_told_so():
    large, small = torch.ones(6, 5, 4), torch.ones(6, 4, 3)
    out = build(pad_size_divisor=4)(batch(large, small))
    assert out['inputs'].shape == (3, 2, 2, 8, 4)
    assert (out['inputs'][:, 0, :, :5] == 1).all() and (out['inputs'][:, 1, :, :4, :3] == 1).all()
    assert out['inputs'].sum() == large.sum() + small.sum()
    assert [sample.batch_input_shape for sample in out['data_samples']] == [(8, 4), (8, 4)]
    assert [sample.pad_shape for sample in out['data_samples']] == [(8, 4), (4, 4)]


def test_counts_become_float_and_are_normalised_only_if_asked():
    clip = torch.full((2, 2, 4, 4), 5, dtype=torch.uint8)
    assert build()(batch(clip))['inputs'].unique().tolist() == [5.0]
    inputs = build(mean=[1.0, 3.0], std=[2.0, 4.0])(batch(clip))['inputs']
    assert inputs.dtype == torch.float32
    assert (inputs[:, :, 0] == 2.0).all() and (inputs[:, :, 1] == 0.5).all()


def test_a_padded_pixel_is_one_without_events():
    inputs = build(pad_size_divisor=4, mean=[1.0], std=[2.0])(batch(torch.zeros(2, 3, 3)))['inputs']
    assert inputs.unique().tolist() == [-0.5]


def test_a_batch_is_resized_as_images_are():
    MessageHub.get_current_instance().update_info('iter', 0)
    resize = dict(type='BatchSyncRandomResize', random_size_range=(64, 64), size_divisor=32)
    processor = build(batch_augments=[resize])
    processor.batch_augments[0]._input_size = (64, 64)
    sample = DetDataSample(
        metainfo=dict(img_shape=(32, 32)), gt_instances=InstanceData(bboxes=torch.tensor([[8.0, 0, 16, 32]])))
    clip = torch.zeros(3, 2, 32, 32)
    clip[:, :, :, 8:16] = 1
    out = processor(dict(inputs=[clip], data_samples=[sample]), training=True)
    assert (out['inputs'][:, 0, :, :, 18:30] == 1).all() and out['inputs'].shape == (3, 1, 2, 64, 64)
    assert sample.gt_instances.bboxes.tolist() == [[16, 0, 32, 64]]


def test_clips_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match=r'must have the same number of time steps, but got \[2, 3\]'):
        build()(batch(torch.rand(6, 4, 4), torch.rand(4, 4, 4)))


def test_a_clip_of_other_channels_is_refused():
    with pytest.raises(ValueError, match=r'must be \[T \* 2, H, W\] or \[T, 2, H, W\].*but got \(5, 4, 4\)'):
        build()(batch(torch.rand(5, 4, 4)))


@pytest.mark.parametrize('kwargs, problem', [
    (dict(channels=0), '`channels` must be a positive integer, but got 0'),
    (dict(bgr_to_rgb=True), 'event frames have no colours'),
    (dict(mean=[1.0]), r'but got \[1.0\] and None'),
    (dict(mean=[1.0] * 3, std=[1.0] * 3), 'must both be None or have 1 or 2 numbers'),
])
def test_arguments_that_do_not_fit_are_refused(kwargs, problem):
    with pytest.raises(ValueError, match=problem):
        build(**kwargs)


def faster_rcnn() -> dict:
    model = mask_rcnn(classes=2, in_channels=2)
    model['roi_head'].update(mask_head=None, mask_roi_extractor=None)
    model['test_cfg']['rcnn'] = dict(score_thr=0.0, nms=NMS, max_per_img=5)
    return dict(
        model, type='FasterRCNN', data_preprocessor=dict(type='spikemm.EventDetDataPreprocessor', pad_size_divisor=32))


@pytest.fixture
def config(tmp_path):
    """A spiking Faster R-CNN and one recording of 64 x 64 pixels, with a square of events for each of two boxes."""
    x, y = (axis.ravel() for axis in np.meshgrid(np.arange(16, 48), np.arange(16, 48)))
    t = np.arange(0, 200_000, 10_000)
    write_atis(tmp_path / 'a.bin', make_events(
        np.repeat(t, len(x)), np.tile(x, len(t)), np.tile(y, len(t)), np.repeat(t // 10_000 % 2, len(x))))
    boxes = np.zeros(2, [('t', '<i8'), *((side, '<f4') for side in 'xywh'), ('class_id', '<u4')])
    boxes['t'], boxes['class_id'] = (100_000, 200_000), (0, 1)
    boxes['x'], boxes['y'], boxes['w'], boxes['h'] = 16, 16, 32, 32
    np.save(tmp_path / 'a_bbox.npy', boxes)
    load = [dict(type='spikemm.LoadEvents'), dict(type='spikemm.EventFrames', T=3),
            dict(type='Resize', scale=(64, 64), keep_ratio=True), dict(type='LoadAnnotations', with_bbox=True),
            dict(type='PackDetInputs', meta_keys=('img_id', 'ori_shape', 'img_shape', 'scale_factor', 'instances'))]
    loader = dict(
        batch_size=2, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=False),
        dataset=dict(
            type='spikemm.EventDetDataset', data_root=str(tmp_path), data_prefix=dict(events='.'), event_suffix='.bin',
            sensor_size=(64, 64), pipeline=load))
    return Config(dict(
        default_scope='mmdet', model=faster_rcnn(), work_dir=str(tmp_path / 'work'), train_dataloader=loader,
        val_dataloader=loader, val_evaluator=dict(type='CocoMetric', metric='bbox'), val_cfg=dict(),
        train_cfg=dict(by_epoch=True, max_epochs=1), optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01)),
        custom_hooks=[dict(type='spikemm.FiringRateHook', interval=1)], randomness=dict(seed=0)))


def test_a_detector_learns_a_step_of_recordings_and_is_evaluated(config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    frames = []
    runner = train(config)
    runner.model.backbone.register_forward_pre_hook(lambda module, args: frames.append(args[0]))
    metrics = runner.val()
    assert frames[0].shape == (3, 2, 2, 64, 64), 'time first'
    assert 0 <= metrics['coco/bbox_mAP'] <= 1
    scalars = runner.message_hub.log_scalars
    assert scalars['train/loss'].current() > 0 and np.isfinite(scalars['train/loss'].current())
