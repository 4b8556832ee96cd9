import filecmp
import json

import numpy as np
import pytest
from sklearn.datasets import load_digits

from spikemm.datasets.digit_scenes import generate_events
from spikemm.datasets.digit_scenes.events import DURATION, IMAGES, film_digit, walk
from spikemm.datasets.digit_scenes.parts import Photographs, split_sources
from spikemm.datasets.events import read_events

SMALL = {'seed': 3, 'size': 32, 'num_train': 30, 'num_val': 10}


@pytest.fixture(scope='module')
def made(tmp_path_factory):
    return generate_events(tmp_path_factory.mktemp('data'), **SMALL)


@pytest.fixture(scope='module')
def recordings(made):
    return [read_events(path, size=(32, 32)) for path in sorted(made.glob('train/*/*.bin'))]


def film(seed):
    return film_digit(load_digits().images[seed], Photographs('train'), 32, np.random.default_rng(seed))


def test_recordings_are_a_folder_a_class(made):
    assert len(list(made.glob('train/[0-9]/0000[0-2].bin'))) == 30
    assert len(list(made.glob('val/[0-9]/00000.bin'))) == 10


def test_the_same_arguments_give_the_same_bytes(made, tmp_path):
    again = generate_events(tmp_path, **SMALL)
    names = [str(path.relative_to(made)) for path in made.rglob('*') if path.is_file()]
    assert len(names) == 30 + 10 + 1
    assert filecmp.cmpfiles(made, again, names, shallow=False)[0] == names


def test_another_seed_gives_other_recordings(made, tmp_path):
    other = generate_events(tmp_path, **{**SMALL, 'seed': 4})
    names = [f'train/{label}/{i:05d}.bin' for label in range(10) for i in range(3)]
    assert filecmp.cmpfiles(made, other, names, shallow=False)[0] == []


def test_a_folder_that_is_complete_is_left_as_it_is(made):
    before = {path: path.stat().st_mtime_ns for path in made.rglob('*')}
    generate_events(made.parent, **SMALL)
    assert {path: path.stat().st_mtime_ns for path in made.rglob('*')} == before


def test_train_and_val_share_no_digit(made):
    sources = json.loads((made / 'manifest.json').read_text())['sources']
    train, val = ({i for indices in sources[split].values() for i in indices} for split in ('train', 'val'))
    assert train and val and not train & val
    allowed = split_sources(SMALL['seed'])
    assert train <= set(np.concatenate(allowed['train'])) and val <= set(np.concatenate(allowed['val']))


def test_recordings_are_read_without_repair_and_last_three_tenths_of_a_second(recordings):
    for events, _, report in recordings:
        assert not report and len(events) > 300
        assert events['t'][0] < 20_000 and DURATION - 20_000 < events['t'][-1] < DURATION
        assert 0.3 < events['p'].mean() < 0.7


def test_events_are_where_the_digit_moves(recordings):
    """The camera stands still: far from the digit there is noise only."""
    events = np.concatenate([recording.events for recording in recordings])
    counts = np.zeros((32, 32))
    np.add.at(counts, (events['y'], events['x']), 1)
    corners = counts[[0, 0, -1, -1], [0, -1, 0, -1]].mean()
    assert counts[12:20, 12:20].mean() > 20 * corners


def test_all_three_saccades_make_events(recordings):
    for events, _, _ in recordings:
        counts = np.histogram(events['t'], 3, (0, DURATION))[0]
        assert counts.min() > 0.15 * counts.sum()


@pytest.mark.parametrize('seed', range(20))
def test_the_digit_stays_inside(seed):
    images = film(seed)
    assert images.shape == (IMAGES, 32, 32)
    moving = np.ptp(images, axis=0) > 1
    assert moving.any() and not (moving[[0, -1]].any() or moving[:, [0, -1]].any())


def test_the_path_is_closed_and_goes_right_down_right_up_left():
    steps = np.mean([np.diff(walk(32, np.random.default_rng(seed))[::12], axis=0) for seed in range(50)], axis=0)
    assert (steps[0] > 0).all() and steps[1, 0] > 0 > steps[1, 1] and steps[2, 0] < -2 and abs(steps[2, 1]) < 0.5
    assert np.abs(steps.sum(0)).max() < 0.5


@pytest.mark.parametrize(('name', 'value'), [('seed', -1), ('size', 16), ('num_train', 9), ('num_val', 2.5)])
def test_a_bad_argument_is_named_with_its_value(tmp_path, name, value):
    with pytest.raises(ValueError, match=f'`{name}` must be an integer .* but got {value}'):
        generate_events(tmp_path, **{**SMALL, name: value})
    assert list(tmp_path.iterdir()) == []
