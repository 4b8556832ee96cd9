import filecmp
import json
import runpy
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from sklearn.datasets import load_digits

from spikemm.datasets import digit_scenes
from spikemm.datasets.digit_scenes import classification, generate_classification
from spikemm.datasets.digit_scenes.parts import (
    LUMA,
    MIN_CONTRAST,
    Photographs,
    choose_ink,
    contrast,
    digit_sprite,
    split_sources,
)

ROOT = Path(__file__).parents[2]
SMALL = {'seed': 3, 'size': 24, 'num_train': 45, 'num_val': 20}


@pytest.fixture(scope='module')
def made(tmp_path_factory):
    return generate_classification(tmp_path_factory.mktemp('data'), **SMALL)


def pngs(folder):
    return sorted(path.relative_to(folder) for path in folder.rglob('*.png'))


def test_the_same_seed_gives_the_same_bytes(made, tmp_path):
    again = generate_classification(tmp_path, **SMALL)
    assert pngs(again) == pngs(made)
    names = [*map(str, pngs(made)), 'manifest.json']
    assert filecmp.cmpfiles(made, again, names, shallow=False) == (names, [], [])


def test_another_seed_gives_other_images(made, tmp_path):
    other = generate_classification(tmp_path, **{**SMALL, 'seed': 4})
    names = [str(name) for name in pngs(made)]
    assert filecmp.cmpfiles(made, other, names, shallow=False)[0] == []


def test_the_images_asked_for_are_spread_over_the_classes(made):
    counts = [len(pngs(made / split / str(label))) for split in ('train', 'val') for label in range(10)]
    assert counts == [5] * 5 + [4] * 5 + [2] * 10
    assert cv2.imread(str(made / 'val/7/00001.png')).shape == (24, 24, 3)


def test_train_and_val_share_no_handwritten_digit():
    train, val = (np.concatenate(split_sources(0)[split]) for split in ('train', 'val'))
    assert sorted([*train, *val]) == list(range(1797))  # each digit once


def test_the_split_is_80_to_20_in_each_class():
    sources, target = split_sources(0), load_digits().target
    for label, (train, val) in enumerate(zip(sources['train'], sources['val'], strict=True)):
        assert set(target[train]) == set(target[val]) == {label}
        assert len(train) / (len(train) + len(val)) == pytest.approx(0.8, abs=0.01)


def test_the_manifest_names_the_digit_in_every_image(made):
    manifest, target = json.loads((made / 'manifest.json').read_text()), load_digits().target
    assert {name: manifest[name] for name in ('seed', 'size', 'counts')} == {
        'seed': 3, 'size': 24, 'counts': {'train': 45, 'val': 20}}
    for split in ('train', 'val'):
        for name, digits in manifest['sources'][split].items():
            assert len(digits) == len(list((made / split / name).glob('*.png')))
            assert set(target[digits]) == {int(name)}
            assert set(digits) <= set(split_sources(3)[split][int(name)].tolist())


def test_train_and_val_share_no_region_of_a_photograph():
    train, val = Photographs('train').regions, Photographs('val').regions
    assert all(a.shape[1] + b.shape[1] == 640 for a, b in zip(train, val, strict=True))
    assert not any(np.array_equal(a[:, :100], b[:, :100]) for a, b in zip(train, val, strict=True))


@pytest.mark.parametrize('split', ['train', 'val'])
def test_the_ink_stands_out_from_every_pixel_below_it(split):
    photographs, rng = Photographs(split), np.random.default_rng(0)
    for _ in range(200):
        crop = photographs.crop(32, rng)
        ink = choose_ink(crop, rng)
        assert contrast(crop, ink) > MIN_CONTRAST - 1, 'a level may go in rounding'
        assert ((ink > -1e-6) & (ink < 255 + 1e-6)).all()


def test_ink_is_chosen_between_dark_and_bright_pixels_where_only_there_is_room():
    pixels = np.repeat([[30.], [225.]], 3, axis=1)
    levels = [choose_ink(pixels, np.random.default_rng(seed)) @ LUMA for seed in range(20)]
    assert 100 <= min(levels) < max(levels) <= 155


def test_a_sprite_is_a_mask_cut_to_the_digit():
    alpha = digit_sprite(load_digits().images[0], 24, np.random.default_rng(0))
    assert alpha.min() == 0 and alpha.max() == 1
    assert alpha[0].any() and alpha[-1].any() and alpha[:, 0].any() and alpha[:, -1].any()


def test_a_finished_folder_is_left_as_it_is(made):
    image = next(made.rglob('*.png'))
    before = image.stat().st_mtime_ns
    generate_classification(made.parent, **SMALL)
    assert image.stat().st_mtime_ns == before


def test_other_arguments_make_the_folder_anew(tmp_path):
    generate_classification(tmp_path, **SMALL)
    folder = generate_classification(tmp_path, **{**SMALL, 'num_val': 10})
    assert len(pngs(folder / 'val')) == 10


def test_a_lost_image_is_made_again(tmp_path):
    folder = generate_classification(tmp_path, **SMALL)
    (folder / 'val/3/00000.png').unlink()
    generate_classification(tmp_path, **SMALL)
    assert (folder / 'val/3/00000.png').is_file()


def test_an_interrupted_run_leaves_nothing(tmp_path, monkeypatch):
    def interrupt(path, image):
        if path.parent.name == '4':
            raise KeyboardInterrupt

    monkeypatch.setattr(classification, 'write_image', interrupt)
    with pytest.raises(KeyboardInterrupt):
        generate_classification(tmp_path, **SMALL)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_other_files_is_not_replaced(tmp_path):
    (tmp_path / 'classification').mkdir()
    (tmp_path / 'classification/thesis.txt').write_text('mine')
    with pytest.raises(FileExistsError, match='holds other files'):
        generate_classification(tmp_path, **SMALL)
    assert (tmp_path / 'classification/thesis.txt').read_text() == 'mine'


@pytest.mark.parametrize(('name', 'value'), [('seed', -1), ('size', 500), ('num_train', 9), ('num_val', 2.5)])
def test_a_bad_argument_is_named_with_its_value(tmp_path, name, value):
    with pytest.raises(ValueError, match=f'`{name}` must be an integer .* but got {value}'):
        generate_classification(tmp_path, **{**SMALL, name: value})
    assert list(tmp_path.iterdir()) == []


def run_command(monkeypatch, *args):
    monkeypatch.setattr(sys, 'argv', ['digit_scenes.py', *map(str, args)])
    runpy.run_path(str(ROOT / 'tools/dataset_converters/digit_scenes.py'), run_name='__main__')


def test_the_command_makes_the_part_that_is_named(tmp_path, monkeypatch, capsys):
    run_command(monkeypatch, 'classification', '--out', tmp_path, '--num-train', 20, '--num-val', 10)
    assert capsys.readouterr().out == f'{tmp_path}/classification: 20 train and 10 val samples of 32 px.\n'
    assert [path.name for path in tmp_path.iterdir()] == ['classification']


PARTS = 'classification', 'detection', 'segmentation', 'events'


def test_the_command_makes_every_part_when_none_is_named(tmp_path, monkeypatch):
    made = []
    for part in PARTS:
        def make(out, *, seed, size=0, num_train=0, num_val=0, part=part):
            made.append((part, out, seed))
        monkeypatch.setattr(digit_scenes, f'generate_{part}', make)
    run_command(monkeypatch, '--out', tmp_path, '--seed', 5)
    assert made == [(part, str(tmp_path), 5) for part in PARTS]


@pytest.mark.parametrize(('args', 'message'), [
    (['classification', '--num-val', 0], '`num_val` must be'),
    (['--size', 64], '--size: size and number of samples belong to one part, but 4 would be made'),
    (['detection', 'poses'], 'there is no part poses')])
def test_the_command_reports_a_bad_argument_without_a_traceback(tmp_path, monkeypatch, capsys, args, message):
    with pytest.raises(SystemExit, match='2'):
        run_command(monkeypatch, '--out', tmp_path, *args)
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
