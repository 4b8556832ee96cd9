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


def test_shorter_and_smaller_clips_get_empty_steps_and_pixels_behind():
    long, small = torch.ones(3, 2, 5, 4), torch.ones(2, 2, 4, 3)
    inputs = build(pad_size_divisor=4)(batch(long, small))['inputs']
    assert inputs.shape == (3, 2, 2, 8, 4)
    assert inputs[:, 0].sum() == long.sum() and inputs[:, 1].sum() == small.sum()
    assert (inputs[:3, 0, :, :5, :4] == 1).all() and (inputs[:2, 1, :, :4, :3] == 1).all()


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


@pytest.mark.parametrize('channels', [0, 1.0])
def test_channels_must_be_positive(channels):
    with pytest.raises(ValueError, match=f'`channels` must be a positive integer, but got {channels!r}'):
        build(channels=channels)
