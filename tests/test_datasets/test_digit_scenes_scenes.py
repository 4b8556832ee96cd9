import numpy as np
import pytest
from sklearn.datasets import load_digits

from spikemm.datasets.digit_scenes import scenes
from spikemm.datasets.digit_scenes.parts import LUMA, MIN_CONTRAST, Photographs, split_sources
from spikemm.datasets.digit_scenes.scenes import Scene, add_digit, compose, make_scenes, plan_scenes

COUNTS = {'train': 100, 'val': 50}


@pytest.fixture(scope='module')
def manifest():
    return plan_scenes('detection', 0, 96, COUNTS)


@pytest.fixture(scope='module')
def made(manifest):
    return list(make_scenes(manifest, 'train'))


def blank(size=64, grey=128):
    return Scene(np.full((size, size, 3), grey, np.uint8), np.full((size, size), -1), np.zeros((size, size), bool))


def test_a_scene_shows_one_to_six_digits_and_one_in_fifty_none(manifest):
    for split, count in COUNTS.items():
        shown = [len(indices) for indices in manifest['sources'][split]]
        assert len(shown) == count and set(shown) == set(range(7))
        assert [i for i, n in enumerate(shown) if n == 0] == list(range(49, count, 50))


def test_each_handwritten_digit_of_the_split_is_shown_about_equally_often():
    manifest = plan_scenes('detection', 5, 96, {'train': 2000, 'val': 10})
    indices, times = np.unique(np.concatenate(manifest['sources']['train']).astype(int), return_counts=True)
    assert sorted(indices) == sorted(np.concatenate(split_sources(5)['train']))
    assert times.max() - times.min() <= 1


def test_train_and_val_scenes_share_no_handwritten_digit(manifest):
    train, val = ({i for indices in manifest['sources'][split] for i in indices} for split in COUNTS)
    assert train and val and not train & val


def test_the_classes_are_those_of_the_handwritten_digits(manifest, made):
    target = load_digits().target
    assert [labels for labels, _ in made] == [target[i].tolist() for i in manifest['sources']['train']]


def test_every_digit_is_seen(made):
    for labels, scene in made:
        assert set(np.unique(scene.owner)) == {-1, *range(len(labels))}


def test_some_digits_are_occluded_but_never_below_the_share_that_must_be_seen(monkeypatch):
    seen_shares = []

    def watch(scene, whole, number, grey, rng):
        done = add_digit(scene, whole, number, grey, rng)
        if done:
            seen_shares.extend((scene.owner == k).sum() / whole[k] for k in range(number))
        return done

    monkeypatch.setattr(scenes, 'add_digit', watch)
    rng, photographs = np.random.default_rng(0), Photographs('train')
    for _ in range(20):
        compose(list(load_digits().images[rng.integers(1797, size=6)]), photographs, 96, rng)
    assert scenes.MIN_VISIBLE <= min(seen_shares) < 0.95


def test_the_digits_have_several_sizes(made):
    heights = [np.ptp(np.nonzero(scene.owner == k)[0]) + 1 for labels, scene in made for k in range(len(labels))]
    assert min(heights) < 0.2 * 96 and max(heights) > 0.45 * 96


def test_the_pixels_of_a_digit_are_those_that_were_painted():
    before, scene = blank(), blank()
    assert add_digit(scene, np.zeros(1), 0, load_digits().images[0], np.random.default_rng(1))
    changed = (scene.image != before.image).any(2)
    assert changed[scene.owner == 0].all()
    assert not changed[(scene.owner == -1) & ~scene.mixed].any()
    contrast = np.abs(scene.image @ LUMA - 128)[scene.owner == 0]
    assert contrast.min() > MIN_CONTRAST / 2 - 1, 'at the edge half of the colour is paper'
    assert contrast.max() > MIN_CONTRAST - 1


def test_a_later_digit_takes_the_pixels_of_an_earlier_one():
    digit, rng = load_digits().images[1], np.random.default_rng(0)
    for _ in range(50):
        scene, whole = blank(), np.zeros(2)
        assert add_digit(scene, whole, 0, digit, rng)
        first = scene.owner == 0
        if add_digit(scene, whole, 1, digit, rng) and (first & (scene.owner == 1)).any():
            break
    else:
        pytest.fail('the digits never overlapped')
    assert (scene.owner == 0).sum() < whole[0] == first.sum()
    assert (scene.owner == 1).sum() == whole[1]


def test_a_digit_is_not_painted_where_no_ink_could_be_read():
    scene = blank()
    scene.image[::2] = 0
    scene.image[1::2] = 255
    scene.image[1::4] = 128
    before = scene.image.copy()
    assert not add_digit(scene, np.zeros(1), 0, load_digits().images[0], np.random.default_rng(0))
    assert np.array_equal(scene.image, before) and (scene.owner == -1).all()


def test_a_digit_is_not_painted_over_one_that_could_not_be_recognised_then():
    scene, whole = blank(), np.zeros(2)
    scene.owner[:] = 0
    whole[0] = 64 * 64 * 1.6  # already hidden to 62 %
    assert not add_digit(scene, whole, 1, load_digits().images[0], np.random.default_rng(0))
    assert (scene.owner == 0).all()
