import pytest
import torch
from mmengine.registry import MODELS, DefaultScope
from mmpretrain.structures import DataSample


def build(**kwargs):
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        return MODELS.build(dict(type='spikemm.EventDataPreprocessor', **kwargs))


def batch(*clips):
    return dict(inputs=list(clips), data_samples=[DataSample().set_gt_label(i) for i in range(len(clips))])


def test_time_comes_first():
    a, b = torch.rand(2, 3, 2, 5, 4)
    inputs = build()(batch(a, b))['inputs']
    torch.testing.assert_close(inputs, torch.stack([a, b], dim=1), rtol=0, atol=0)


def test_packed_clips_are_taken_apart_step_by_step():
    clip = torch.rand(3, 2, 5, 4)
    packed = build()(batch(clip.flatten(0, 1)))['inputs']
    torch.testing.assert_close(packed[:, 0], clip, rtol=0, atol=0)


def test_a_stacked_batch_is_taken_as_a_list_is():
    clips = torch.rand(2, 6, 5, 4)
    stacked = build()(dict(inputs=clips))['inputs']
    assert torch.equal(stacked, build()(dict(inputs=list(clips)))['inputs'])


def test_smaller_clips_get_empty_pixels_behind():
    large, small = torch.ones(3, 2, 5, 4), torch.ones(3, 2, 4, 3)
    inputs = build(pad_size_divisor=4)(batch(large, small))['inputs']
    assert inputs.shape == (3, 2, 2, 8, 4)
    assert inputs[:, 0].sum() == large.sum() and inputs[:, 1].sum() == small.sum()
    assert (inputs[:, 0, :, :5, :4] == 1).all() and (inputs[:, 1, :, :4, :3] == 1).all()


def test_a_padded_pixel_is_one_without_events():
    inputs = build(pad_size_divisor=4, mean=[1.0], std=[2.0])(batch(torch.zeros(2, 3, 3)))['inputs']
    assert inputs.unique().tolist() == [-0.5]


def test_clips_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match=r'same number of time steps, but got \[2, 3\]. Give EventFrames a `T`'):
        build()(batch(torch.rand(6, 4, 4), torch.rand(4, 4, 4)))


def test_counts_become_float_and_are_normalised_only_if_asked():
    clip = torch.full((2, 2, 3, 3), 5, dtype=torch.uint8)
    assert build()(batch(clip))['inputs'].unique().tolist() == [5.0]
    inputs = build(mean=[1.0, 3.0], std=[2.0, 4.0])(batch(clip))['inputs']
    assert inputs.dtype == torch.float32
    assert (inputs[:, :, 0] == 2.0).all() and (inputs[:, :, 1] == 0.5).all()


def test_mixup_mixes_whole_clips_and_their_labels():
    torch.manual_seed(0)
    processor = build(num_classes=2, batch_augments=dict(augments=dict(type='Mixup', alpha=1.0)))
    clips = torch.zeros(3, 2, 2, 2), torch.ones(3, 2, 2, 2)
    for _ in range(5):  # the permutation may leave all where they are
        mixed = processor(batch(*clips), training=True)
        share = mixed['inputs'][0, 1, 0, 0, 0]
        assert (mixed['inputs'][:, 1] == share).all(), 'one share for all steps'
        assert mixed['data_samples'][1].gt_score[1] == pytest.approx(share.item())
    assert processor(batch(*clips))['inputs'][:, 1].min() == 1, 'not in a test'


@pytest.mark.parametrize('shape', [(5, 4, 4), (3, 1, 4, 4), (4, 4)])
def test_a_clip_of_other_channels_is_refused(shape):
    with pytest.raises(ValueError, match=r'must be \[T \* 2, H, W\] or \[T, 2, H, W\].*but got \('):
        build()(batch(torch.rand(shape)))


@pytest.mark.parametrize('channels', [0, 1.0, True])
def test_channels_must_be_positive(channels):
    with pytest.raises(ValueError, match=f'`channels` must be a positive integer, but got {channels!r}'):
        build(channels=channels)


@pytest.mark.parametrize('kwargs, problem', [
    (dict(to_rgb=True), '`to_rgb` must be False: event frames have no colours'),
    (dict(mean=[1.0]), r'but got \[1.0\] and None'),
    (dict(mean=[1.0] * 3, std=[1.0] * 3), 'must both be None or have 1 or 2 numbers'),
])
def test_arguments_that_do_not_fit_are_refused(kwargs, problem):
    with pytest.raises(ValueError, match=problem):
        build(**kwargs)
