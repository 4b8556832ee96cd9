"""demo/event_demo.py, run in this process, and the pictures that it is made of."""

import runpy
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_events import events, write_model

from spikemm.datasets.events import write_atis
from spikemm.visualization.events import draw_frame, draw_stream

DEMO = Path(__file__).parents[2] / 'demo' / 'event_demo.py'
RECORDING = events(start=0)


@pytest.fixture
def args(tmp_path):
    write_atis(tmp_path / 'a.bin', RECORDING)
    return [tmp_path / 'a.bin', *write_model(tmp_path), '--device', 'cpu']


def run(*args) -> None:
    runpy.run_path(str(DEMO))['main']([str(arg) for arg in args])


def test_it_prints_the_best_classes_and_writes_a_picture_that_moves(args, tmp_path, capsys):
    run(*args, '--out', tmp_path / 'new' / 'a.gif', '--topk', 2, '--window-ms', 12.5)
    lines = [line for line in capsys.readouterr().out.splitlines() if '%' in line]
    assert len(lines) == 2 and float(lines[0].split('%')[0]) >= float(lines[1].split('%')[0])
    with Image.open(tmp_path / 'new' / 'a.gif') as picture:
        assert picture.n_frames == 4
        first = np.asarray(picture.convert('RGB'))
        picture.seek(3)
        assert np.abs(first.astype(int) - np.asarray(picture.convert('RGB'))).max() > 100


def test_of_many_windows_some_and_the_last_are_drawn(args, tmp_path, capsys, monkeypatch):
    module = runpy.run_path(str(DEMO))
    monkeypatch.setitem(module['main'].__globals__, 'PICTURES', 6)
    module['main']([*map(str, args), '--out', str(tmp_path / 'a.gif'), '--window-ms', '5', '--topk', '1'])
    assert 'one in 2 of 10 windows' in capsys.readouterr().out
    with Image.open(tmp_path / 'a.gif') as picture:
        assert picture.n_frames == 6  # 0, 2, 4, 6, 8 and 9


@pytest.mark.parametrize('number, every, kept', [
    (1, 1, [0]), (4, 1, [0, 1, 2, 3]), (8, 2, [0, 2, 4, 6, 7]), (9, 4, [0, 4, 8]), (10, 4, [0, 4, 8, 9])])
def test_thinning_keeps_the_first_and_the_last(number, every, kept):
    windows = [dict(number=k) for k in range(number)]
    found = runpy.run_path(str(DEMO))['thin'](iter(windows), 5)
    assert found == ([windows[k] for k in kept], every, number)


@pytest.mark.parametrize('flag, value', [
    ('--topk', '0'), ('--pause-ms', '-5'), ('--pause-ms', '1.5'), ('--window-ms', '0'), ('--window-ms', 'nan'),
    ('--window-ms', 'inf')])
def test_numbers_that_mean_nothing_are_refused(args, capsys, flag, value):
    with pytest.raises(SystemExit) as end:
        run(*args, flag, value)
    assert end.value.code == 2
    assert f'argument {flag}: ' in capsys.readouterr().err


@pytest.mark.parametrize('missing', range(3))
def test_it_says_what_is_missing_without_a_traceback(args, tmp_path, capsys, missing):
    args[missing] = tmp_path / 'nowhere.bin'
    with pytest.raises(SystemExit) as end:
        run(*args, '--out', tmp_path / 'a.gif')
    assert end.value.code == 1
    assert 'nowhere.bin' in capsys.readouterr().err
    assert not (tmp_path / 'a.gif').exists()


def test_a_config_of_images_is_refused(config, checkpoint, args, tmp_path, capsys):
    with pytest.raises(SystemExit):
        run(args[0], config, checkpoint, '--out', tmp_path / 'a.gif')
    assert 'must be a config that classifies event recordings' in capsys.readouterr().err


def test_another_format_of_picture_is_refused_before_work(args, tmp_path, capsys):
    with pytest.raises(SystemExit):
        run(*args, '--out', tmp_path / 'a.mp4')
    assert '--out must end in .gif' in capsys.readouterr().err


def test_on_is_red_off_is_blue_and_nothing_is_white():
    frame = np.zeros((2, 1, 4))
    frame[1, 0, 1] = frame[0, 0, 2] = frame[0, 0, 3] = frame[1, 0, 3] = 2
    nothing, on, off, both = draw_frame(frame)[0].astype(int)
    assert nothing.tolist() == [255] * 3
    assert on[0] > on[2] + 100 and off[2] > off[0] + 100
    assert both.max() < 80


def test_a_signed_frame_has_the_same_colours():
    frame = np.array([[[1.0, -1.0, 0.0]]])
    counts = np.array([[[0.0, 1.0, 0.0]], [[1.0, 0.0, 0.0]]])
    np.testing.assert_array_equal(draw_frame(frame), draw_frame(counts))


def test_more_events_are_darker():
    frame = np.zeros((2, 1, 3))
    frame[1, 0] = 0, 1, 4
    brightness = draw_frame(frame, full=4)[0].sum(-1)
    assert brightness[0] > brightness[1] > brightness[2]


def test_a_picture_of_a_stream_does_not_depend_on_those_before_it():
    rng = np.random.default_rng(0)
    windows = [dict(frame=rng.integers(0, 2, (2, 8, 8)), pred_scores=np.array(scores), start=0, end=1000)
               for scores in ([0.9, 0.1], [0.2, 0.8])]
    first, second = draw_stream(windows, ['a', 'b'])
    alone, = draw_stream(windows[1:], ['a', 'b'])
    assert np.abs(first.astype(int) - second)[:490].max() > 100
    np.testing.assert_array_equal(second[:490], alone[:490])  # below is the curve, which shows both


def test_a_stream_without_any_event_is_drawn():
    window = dict(frame=np.zeros((2, 8, 8)), pred_scores=np.array([0.4, 0.6]), start=0, end=1000)
    picture, = draw_stream([window], ['a', 'b'])
    assert picture.dtype == np.uint8 and picture.ndim == 3 and picture.std() > 10
