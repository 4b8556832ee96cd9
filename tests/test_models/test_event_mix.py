import numpy as np
import pytest
import torch
from mmengine.registry import MODELS, DefaultScope
from mmpretrain.models.utils.batch_augments import CutMix, Mixup, RandomBatchAugment, ResizeMix
from mmpretrain.structures import DataSample

from spikemm.models.batch_augments import WEIGHTS, EventMix, OverTime, adapt_to_clips, draw_blobs, mix

B, T, C, H, W = 6, 5, 2, 16, 20
both_labels = pytest.mark.parametrize('labels', WEIGHTS)


def batch():
    """Return clips [B, T, C, H, W] full of the number of their class, and one-hot scores [B, B]."""
    return torch.arange(1.0, B + 1).view(B, 1, 1, 1, 1).expand(B, T, C, H, W).clone(), torch.eye(B)


def seed(number):
    torch.manual_seed(number)
    np.random.seed(number)


@both_labels
def test_each_clip_holds_its_own_and_one_other_class(labels):
    seed(0)
    clips, scores = batch()
    mixed, mixed_scores = EventMix(labels=labels)(clips, scores)
    assert mixed.shape == clips.shape and (mixed != clips).any()
    for clip, score, own in zip(mixed, mixed_scores, range(B), strict=True):
        classes = {own} | {int(value) - 1 for value in clip.unique()}
        assert len(classes) <= 2
        assert set(score.nonzero().flatten().tolist()) <= classes
    torch.testing.assert_close(mixed_scores.sum(1), torch.ones(B))
    assert ((mixed_scores > 0.05) & (mixed_scores < 0.95)).any(), 'labels are mixed'


def test_whole_numbers_as_scores_are_mixed_to_fractions():
    seed(0)
    clips, scores = batch()
    mixed = EventMix()(clips, scores.long())[1]
    seed(0)
    assert torch.equal(mixed, EventMix()(clips, scores)[1]) and mixed.dtype == torch.float32


def test_both_polarities_are_mixed_alike_and_time_steps_are_not():
    seed(0)
    mixed, _ = EventMix()(*batch())
    assert (mixed[:, :, 0] == mixed[:, :, 1]).all()
    assert (mixed[:, 0] != mixed[:, -1]).any()


def test_the_given_batch_is_left_as_it_was():
    seed(0)
    clips, scores = batch()
    EventMix()(clips, scores)
    assert torch.equal(clips, batch()[0]) and torch.equal(scores, batch()[1])


@both_labels
def test_a_seed_gives_the_same_batch_again(labels):
    runs = []
    for _ in range(2):
        seed(5)
        runs.append(EventMix(labels=labels)(*batch()))
    assert torch.equal(runs[0][0], runs[1][0]) and torch.equal(runs[0][1], runs[1][1])


def test_blobs_fill_the_stated_share():
    seed(0)
    share = torch.tensor([0.0, 0.05, 0.3, 0.7, 0.95, 1.0])
    mask = draw_blobs(share, (8, 32, 32))
    torch.testing.assert_close(mask.flatten(1).float().mean(1), share, atol=1e-3, rtol=0)


def test_blobs_hang_together():
    seed(0)
    mask = draw_blobs(torch.full((20,), 0.3), (8, 32, 32))
    same = (mask[..., 1:] == mask[..., :-1]).float().mean()
    assert same > 0.9, 'neighbours agree; of random pixels only 58 % would'


def test_two_to_four_gaussians_of_the_stated_widths_make_a_blob(monkeypatch):
    seed(0)
    seen, einsum = [], torch.einsum
    monkeypatch.setattr(torch, 'einsum', lambda equation, *bells: seen.extend(bells) or einsum(equation, *bells))
    draw_blobs(torch.full((50,), 0.3), (100, 4, 4))
    weights, bells = seen[0], seen[1]  # [50, 4], and [50, 4, 100] along the time steps
    assert set((weights > 0).sum(1).tolist()) == {2, 3, 4}
    assert bells.sort(-1).values[..., -2].min() >= np.exp(-0.5 / 5 ** 2) - 1e-4, 'the next step, of std 5 at least'
    assert bells.min(-1).values.max() <= np.exp(-0.5), 'the farthest, 50 steps away at least, of std 50 at most'
    assert bells.argmax(-1).min() < 5 and bells.argmax(-1).max() > 95, 'centred anywhere'


# one step, one row of four pixels, one polarity; the last two pixels come from the other clip
OWN, OTHER, MASK = [3, 1, 0, 4], [0, 5, 5, 0], [False, False, True, True]


def mix_by_hand(labels, own=OWN, other=OTHER, mask=MASK):
    clips = torch.tensor([own, other], dtype=torch.float32).view(2, 1, 1, 1, 4)
    mask = torch.tensor(mask).view(1, 1, 1, 1, 4)
    mixed, scores = mix(clips, torch.eye(2), torch.tensor([1, 0]), mask, WEIGHTS[labels])
    return mixed[0].flatten().tolist(), scores[0].tolist()


def test_labels_by_events_are_as_worked_out_by_hand():
    mixed, scores = mix_by_hand('events')  # removed 4 of 8, added 5 of 10: 0.5 / (1 - 0.5 + 0.5)
    assert mixed == [3, 1, 5, 0] and scores == [0.5, 0.5]
    _, scores = mix_by_hand('events', other=[5, 5, 10, 0])  # added a half again, whatever the other's number of events
    assert scores == [0.5, 0.5]
    _, scores = mix_by_hand('events', own=[3, 3, 1, 1])  # removed 1/4: 0.5 / (3/4 + 1/2)
    assert scores == pytest.approx([0.6, 0.4])


def test_labels_by_distance_are_as_worked_out_by_hand():
    # sums of three neighbours (a ninth of it is the mean): mixed 4 9 6 5, own 4 4 5 4, other 5 10 10 5
    # squared differences: own 0 25 1 1 = 27, other 1 1 16 0 = 18
    mixed, scores = mix_by_hand('distance')
    assert mixed == [3, 1, 5, 0]
    weight = 27 ** 2 / (27 ** 2 + 18 ** 2)
    assert scores == pytest.approx([1 - weight, weight])


@both_labels
def test_the_closer_clip_has_the_larger_label(labels):
    _, (own, other) = mix_by_hand(labels, own=[9, 9, 9, 3], other=[1, 1, 1, 1], mask=[False, False, False, True])
    assert own > 0.7 > 0.3 > other > 0


@both_labels
def test_a_clip_of_which_nothing_would_be_left_stays(labels):
    mixed, scores = mix_by_hand(labels, own=[0, 0, 2, 2], other=[5, 5, 0, 0])
    assert mixed == [0, 0, 2, 2] and scores == [1, 0]


@both_labels
def test_an_empty_clip_takes_the_other_label_at_least_by_half(labels):
    mixed, scores = mix_by_hand(labels, own=[0, 0, 0, 0], other=[0, 0, 5, 5])
    assert mixed == [0, 0, 5, 5] and scores[1] >= 0.5
    assert mix_by_hand(labels, own=[0] * 4, other=[0] * 4)[1] == [1, 0], 'both are empty'


@pytest.mark.parametrize(('kwargs', 'message'), [
    (dict(alpha=0), '`alpha` must be positive, but got 0'),
    (dict(labels='volume'), "`labels` must be one of .* but got 'volume'"),
])
def test_bad_arguments_are_refused(kwargs, message):
    with pytest.raises(ValueError, match=message):
        EventMix(**kwargs)


def test_images_are_refused():
    with pytest.raises(ValueError, match=r'\[B, T, C, H, W\], but got shape \(2, 3, 4, 4\)'):
        EventMix()(torch.ones(2, 3, 4, 4), torch.eye(2))


@pytest.mark.parametrize('augment', [Mixup(1.0), CutMix(1.0), ResizeMix(1.0)], ids=lambda a: type(a).__name__)
def test_stock_augmentations_mix_all_time_steps_alike_and_labels_by_share(augment):
    seed(2)
    mixed, scores = OverTime(augment)(*batch())
    assert mixed.shape == (B, T, C, H, W) and (mixed != batch()[0]).any()
    torch.testing.assert_close(mixed, mixed[:, :1, :1].expand_as(mixed))
    share = torch.arange(1.0, B + 1) @ scores.T  # the mean of a clip whose classes are its values
    torch.testing.assert_close(mixed.mean((1, 2, 3, 4)), share)


def test_stock_cutmix_alone_would_cut_the_wrong_axes():
    seed(2)
    mixed, _ = CutMix(1.0)(*batch())
    assert (mixed != mixed[:, :, :1]).any() or (mixed == batch()[0]).all(), 'mmpretrain takes clips: drop OverTime'


def test_only_what_is_for_images_is_wrapped():
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        augment = RandomBatchAugment([dict(type='CutMix', alpha=1.0), dict(type='spikemm.EventMix')], probs=[0.5, 0.3])
    kinds = [type(each) for each in adapt_to_clips(augment).augments]
    assert kinds == [OverTime, EventMix, type(None)]


@pytest.mark.parametrize('augments', [
    [dict(type='spikemm.EventMix', alpha=0.5)], [dict(type='CutMix', alpha=1.0)], dict(type='Mixup', alpha=1.0),
])
def test_a_config_of_the_data_preprocessor_mixes(augments):
    seed(1)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        processor = MODELS.build(dict(
            type='spikemm.EventDataPreprocessor', num_classes=B, batch_augments=dict(augments=augments)))
    samples = [DataSample().set_gt_label(i) for i in range(B)]
    clips = batch()[0]
    inputs = processor(dict(inputs=list(clips), data_samples=samples), training=True)['inputs']
    assert inputs.shape == (T, B, C, H, W) and (inputs.transpose(0, 1) != clips).any()
    expected = torch.stack([sample.gt_score for sample in samples]) @ torch.arange(1.0, B + 1)
    assert (expected != torch.arange(1.0, B + 1)).any()
    if augments != [dict(type='spikemm.EventMix', alpha=0.5)]:
        torch.testing.assert_close(inputs.mean((0, 2, 3, 4)), expected)


def test_a_config_builds_twice_and_stays_as_it_was():
    cfg = dict(type='spikemm.EventDataPreprocessor', num_classes=B,
               batch_augments=dict(augments=[dict(type='spikemm.EventMix')], probs=[0.4]))
    for _ in range(2):
        with DefaultScope.overwrite_default_scope('mmpretrain'):
            assert MODELS.build(cfg).batch_augments.probs == [0.4, 0.6]
    assert cfg['batch_augments'] == dict(augments=[dict(type='spikemm.EventMix')], probs=[0.4])
