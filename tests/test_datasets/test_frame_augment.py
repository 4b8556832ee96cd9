import mmpretrain.datasets.transforms as stock
import numpy as np
import pytest
import torch
import torchvision.transforms.functional as torchvision
from mmcv.transforms import RandomFlip

from spikemm.datasets.transforms import SNNAugmentWide
from spikemm.datasets.transforms.frame_augment import OPERATIONS, spread, spread_whole

T, C, H, W = 5, 2, 24, 30
every_operation = pytest.mark.parametrize('name', OPERATIONS)


def frames(seed=0):
    """Return [T * C, H, W] with the same content at every time step, so that steps can be compared."""
    return np.tile(np.random.default_rng(seed).poisson(1, (C, H, W)).astype(np.float32), (T, 1, 1))


def run(transform, seed=0, clip=None):
    """Return the clip [T * C, H, W] that comes out, given [H, W, T * C] as EventFrames makes it."""
    np.random.seed(seed)
    clip = frames() if clip is None else clip
    return transform({'img': clip.transpose(1, 2, 0), 'img_shape': clip.shape[1:]})['img'].transpose(2, 0, 1)


@every_operation
def test_all_time_steps_are_changed_alike(name):
    given = frames()
    augmented = run(SNNAugmentWide({name: 0.5 if name == 'cutout' else 12}), seed=4)
    assert augmented.shape == given.shape and augmented.dtype == np.float32
    assert (augmented.reshape(T, C, H, W) == augmented[:C]).all()
    assert name == 'identity' or (augmented != given).any()


@every_operation
def test_the_given_frames_are_left_as_they_were(name):
    given = frames()
    run(SNNAugmentWide({name: 0.5 if name == 'cutout' else 12}), clip=given)
    assert (given == frames()).all()


def test_a_seed_gives_the_same_clips_again():
    first, second = ([run(SNNAugmentWide(), seed) for seed in range(20)] for _ in range(2))
    assert all((a == b).all() for a, b in zip(first, second, strict=True))
    assert len({clip.tobytes() for clip in first}) > 10


def test_the_result_is_packed_without_a_copy():
    packed = run(SNNAugmentWide(dict(rotate=30)))
    assert packed.flags.c_contiguous  # [T * C, H, W]


@pytest.mark.parametrize('degrees', [-28, -7.5, 10, 25])  # 30 has ties: its sine is a half
@pytest.mark.parametrize(('name', 'reference'), [
    ('rotate', lambda x, degrees: torchvision.rotate(x, degrees)),
    ('shear_x', lambda x, degrees: torchvision.affine(x, 0, [0, 0], 1.0, [degrees, 0.0])),
])
def test_warping_agrees_with_torchvision(name, reference, degrees):
    given = np.random.default_rng(0).random((4, 23, 31), dtype=np.float32)
    drawn = np.array([(degrees / 30 + 1) / 2, 0, 0])
    warped = OPERATIONS[name](given, 30, drawn)
    assert (warped == reference(torch.tensor(given), degrees).numpy()).all()
    assert (warped != given).any()


@pytest.mark.parametrize(('name', 'drawn', 'expected'), [
    ('translate_x', 0.99, [[0, 1, 2], [0, 4, 5]]),
    ('translate_x', 0.0, [[2, 3, 0], [5, 6, 0]]),
    ('translate_x', 0.5, [[1, 2, 3], [4, 5, 6]]),
    ('translate_y', 0.99, [[0, 0, 0], [1, 2, 3]]),
    ('translate_y', 0.0, [[4, 5, 6], [0, 0, 0]]),
    ('roll', 0.99, [[6, 4, 5], [3, 1, 2]]),
])
def test_shifts_give_what_was_worked_out_by_hand(name, drawn, expected):
    given = np.array([[[1, 2, 3], [4, 5, 6]]], dtype=np.float32)
    assert OPERATIONS[name](given, 1, np.full(3, drawn)).tolist() == [expected]


def test_a_roll_draws_each_axis_on_its_own():
    given = np.array([[[1, 2, 3], [4, 5, 6]]], dtype=np.float32)
    assert OPERATIONS['roll'](given, 1, np.array([0.99, 0.0, 0.5])).tolist() == [[[5, 6, 4], [2, 3, 1]]]


def test_a_shift_past_the_image_leaves_nothing_of_it():
    given = np.ones((1, 2, 3), np.float32)
    assert not OPERATIONS['translate_x'](given, 9, np.array([0.99, 0, 0])).any()
    assert not OPERATIONS['translate_x'](given, 9, np.array([0.0, 0, 0])).any()


@pytest.mark.parametrize(('drawn', 'side'), [(0.0, 3), (1.0, 33)])
def test_cutout_empties_one_square_of_the_drawn_area(drawn, side):
    cut = OPERATIONS['cutout'](np.ones((2, 100, 100), np.float32), 0.11, np.array([drawn, 0.999, 0.5]))
    rows, cols = (cut[0] == 0).any(1).nonzero()[0], (cut[0] == 0).any(0).nonzero()[0]
    assert len(rows) == len(cols) == side and (cut == 0).sum() == 2 * side ** 2
    assert rows[-1] == 99 and cols[0] == (101 - side) // 2, 'drawn at the bottom, in the middle'


def test_cutout_empties_a_pixel_at_least():
    cut = OPERATIONS['cutout'](np.ones((1, 10, 10), np.float32), 0.11, np.zeros(3))
    assert (cut == 0).sum() == 1


def test_magnitudes_spread_evenly_over_both_signs():
    drawn = (np.arange(1000) + 0.5) / 1000
    whole = np.bincount([spread_whole(x, 2) + 2 for x in drawn])
    assert whole.tolist() == [200] * 5
    assert [spread(x, 30) for x in (0, 0.25, 0.5, 1)] == [-30, -15, 0, 30]


def test_every_operation_is_as_likely_as_the_others(monkeypatch):
    seen = []
    for name in OPERATIONS:
        monkeypatch.setitem(OPERATIONS, name, lambda frames, *_, name=name: seen.append(name) or frames)
    for seed in range(600):
        run(SNNAugmentWide(), seed)
    counts = [seen.count(name) for name in SNNAugmentWide().operations]
    assert len(counts) == 6 and min(counts) > 70


@pytest.mark.parametrize(('operations', 'message'), [
    ({}, '`operations` must be of'),
    (dict(zoom=2), "`operations` must be of .* but got {'zoom': 2}"),
    (dict(roll=-1), 'magnitudes of at least 0'),
    (dict(cutout=8), r'cutout in \[0\.001, 1\]'),
])
def test_bad_operations_are_refused(operations, message):
    with pytest.raises(ValueError, match=message):
        SNNAugmentWide(operations)


def test_boxes_are_refused():
    with pytest.raises(ValueError, match=r'spikemm\.SNNAugmentWide must have no boxes'):
        SNNAugmentWide()({'img': frames().transpose(1, 2, 0), 'gt_bboxes': None})


@pytest.mark.parametrize('transform', [
    RandomFlip(prob=1.0), stock.RandomCrop((16, 20)), stock.CenterCrop((16, 20)), stock.RandomCrop((H, W), padding=4),
    stock.Cutout(shape=8, pad_val=0, prob=1.0),
], ids=lambda transform: type(transform).__name__)
@pytest.mark.parametrize('steps', [5, 16])
def test_stock_transforms_change_all_time_steps_alike(transform, steps):
    given = np.tile(frames()[:C], (steps, 1, 1))
    augmented = run(transform, clip=given)
    assert augmented.dtype == np.float32 and augmented.any()
    assert (augmented.reshape(steps, C, *augmented.shape[1:]) == augmented[:C]).all()
    assert augmented.shape != given.shape or (augmented != given).any()


def test_stock_random_erasing_has_three_channels_so_that_a_cutout_of_ours_is_needed():
    with pytest.raises(ValueError, match='could not broadcast'):
        run(stock.RandomErasing(erase_prob=1.0, fill_color=0))
    erased = run(SNNAugmentWide(dict(cutout=0.4)))
    assert (erased == 0).sum() > (frames() == 0).sum()
