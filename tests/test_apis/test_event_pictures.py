"""Pictures of event data: ``tools/test.py --show-dir``, ``browse_dataset.py`` and ``demo/predictions.py``."""

import runpy
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from small_events import events, write_model

from spikemm.apis import evaluate, evaluate_config, parse_test_args
from spikemm.apis.inferencers import init_inferencer
from spikemm.datasets.events import write_atis
from spikemm.visualization.events import name_recording

ROOT = Path(__file__).parents[2]
T, TILE = 5, 34 * 6 + 2  # each of the sensor's 34 pixels is drawn as 6, in a frame of 1
FILES = ('fist/a.bin', 'palm/a.bin', 'palm/b.bin', 'wave/c.bin')


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    monkeypatch.setenv('LOCAL_RANK', '0')  # which the command line would set for good
    yield
    torch.set_flush_denormal(False)


@pytest.fixture(scope='module')
def task(tmp_path_factory):
    """A config and a checkpoint that takes all for a palm, and recordings that move from the left to the right."""
    folder = tmp_path_factory.mktemp('events')
    base, checkpoint = write_model(folder)
    for seed, name in enumerate(FILES):
        (folder / 'data' / name).parent.mkdir(parents=True, exist_ok=True)
        write_atis(folder / 'data' / name, events(seed=seed))
    state = torch.load(checkpoint)
    state['head.fc.bias'][1] = 1000
    torch.save(state, checkpoint)
    config = folder / 'task.py'
    config.write_text(f"""
_base_ = {str(base)!r}
test_dataloader = dict(
    batch_size=3, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(data_root={str(folder / 'data')!r}))
test_evaluator, test_cfg = dict(type='Accuracy'), dict()
""")
    return config, checkpoint


@pytest.fixture
def show(task, tmp_path):
    """Run ``tools/test.py`` with flags; return the pictures by name."""

    def run(*flags):
        folder = tmp_path / f'pictures{len(list(tmp_path.iterdir()))}'
        evaluate(evaluate_config(parse_test_args([
            *map(str, task), '--work-dir', str(tmp_path / 'work'), '--show-dir', str(folder), *flags,
            '--cfg-options', f'experiment_name={tmp_path.name}{folder.name}'])))
        return {path.name: cv2.imread(str(path)) for path in folder.iterdir()}

    return run


def ink(picture):
    """How far the pixels are from white, on average."""
    return 255 - picture.mean()


def test_pictures_of_every_other_sample_are_named_after_their_recordings(show):
    assert sorted(show('--interval', '2')) == ['a.png', 'b.png']


def test_all_time_steps_are_drawn_in_their_order(show):
    picture = show()['c.png']
    assert picture.shape[1] == T * TILE
    first, last = picture[:TILE, :TILE], picture[:TILE, -TILE:]
    assert ink(first[:, :TILE // 2]) > 10 * ink(first[:, TILE // 2:])
    assert ink(last[:, TILE // 2:]) > 10 * ink(last[:, :TILE // 2])


def test_the_caption_is_green_where_right_and_red_where_wrong(show):
    captions = {name: picture[TILE:].astype(int) for name, picture in show().items()}
    for name, right in (('a.png', False), ('a_2.png', True), ('c.png', False)):
        green, red = captions[name][..., 1], captions[name][..., 2]
        assert ((green - red).max() > 50, (red - green).max() > 50) == (right, not right)


def test_an_augmented_test_shows_the_events_unflipped(show):
    plain, augmented = show(), show('--tta')
    for name, picture in plain.items():
        np.testing.assert_array_equal(augmented[name][:TILE], picture[:TILE])


def test_a_part_of_a_recording_is_named_with_its_times():
    assert name_recording(dict(event_path='data/drive.1.dat', t_range=(5, 90))) == 'data/drive.1_5-90us.dat'
    assert name_recording(dict(frame_dir='data/waving')) == 'data/waving'


def browse(config, folder, *args):
    main = runpy.run_path(str(ROOT / 'tools/misc/browse_dataset.py'))['main']
    main([str(config), '--phase', 'test', '--not-show', '--output-dir', str(folder), *args])
    return {path.name: cv2.imread(str(path)) for path in folder.iterdir()}


def test_browsing_draws_original_and_transformed_clips_one_below_the_other(task, tmp_path):
    flipped = tmp_path / 'flipped.py'
    flipped.write_text(f"""
_base_ = {str(task[0])!r}
test_dataloader = dict(dataset=dict(pipeline=[
    dict(type='spikemm.LoadEvents'), dict(type='spikemm.EventFrames', T={T}),
    dict(type='RandomFlip', prob=1.0), dict(type='PackInputs')]))
""")
    pictures = browse(flipped, tmp_path / 'pictures', '--mode', 'concat')
    assert sorted(pictures) == ['a.png', 'a_2.png', 'b.png', 'c.png']
    above, below = np.split(pictures['c.png'], 2)
    np.testing.assert_array_equal(above[1:TILE - 1, 1:TILE - 1], below[1:TILE - 1, TILE - 2:0:-1])
    np.testing.assert_array_equal(above[TILE:], below[TILE:])  # the caption


def test_events_without_their_data_preprocessor_are_refused(task, tmp_path):
    other = tmp_path / 'other.py'
    other.write_text(f"_base_ = {str(task[0])!r}\ndata_preprocessor = dict(_delete_=True, type='ClsDataPreprocessor')")
    with pytest.raises(ValueError, match='`data_preprocessor` of the config must be one of events'):
        browse(other, tmp_path / 'pictures')


def test_the_demo_draws_random_recordings_and_counts_what_is_right(task, tmp_path, capsys):
    main = runpy.run_path(str(ROOT / 'demo/predictions.py'))['main']
    main([*map(str, task), '--out', str(tmp_path / 'picture.png'), '--device', 'cpu'])
    assert '2 of 4 random test recordings right' in capsys.readouterr().out
    assert cv2.imread(str(tmp_path / 'picture.png')).std() > 10


def test_a_sample_of_a_dataset_is_predicted_as_the_part_that_it_is(tmp_path):
    inferencer = init_inferencer(*write_model(tmp_path, "T=5, split='number'"), 'cpu')
    recording = events()
    write_atis(tmp_path / 'a.bin', recording)
    info = dict(event_path=str(tmp_path / 'a.bin'), sensor_size=(34, 34), t_range=(1000, 20_000), gt_label=0)
    part, whole = recording[recording['t'] < 20_000], recording
    of_info, of_part, of_whole = (found['pred_scores'] for found in inferencer([info, part, whole]))
    np.testing.assert_allclose(of_info, of_part, atol=1e-6)
    assert abs(of_part - of_whole).max() > 1e-3
