"""demo/firing_demo.py, run in this process."""

import runpy
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from small_events import events, write_model
from tiny_tasks import DETECTION, write_task

from spikemm.datasets.events import write_atis

DEMO = Path(__file__).parents[2] / 'demo' / 'firing_demo.py'
PICTURES = ['firing_maps.png', 'raster.png']


def run(*args) -> None:
    runpy.run_path(str(DEMO))['main']([*map(str, args), '--device', 'cpu'])


def test_it_draws_an_image(config, checkpoint, image_folder, tmp_path, capsys):
    out = tmp_path / 'new' / 'pictures'
    run(image_folder / 'cat' / '0.png', config, checkpoint, '--out', out)
    printed = capsys.readouterr().out
    assert '%' in printed and 'head.neuron' in printed
    assert sorted(path.name for path in out.iterdir()) == PICTURES
    assert all(cv2.imread(str(out / name)).std() > 10 for name in PICTURES)


def test_it_draws_a_recording(tmp_path, capsys):
    write_atis(tmp_path / 'a.bin', events(start=0))
    run(tmp_path / 'a.bin', *write_model(tmp_path), '--out', tmp_path / 'pictures', '--layers', 'head.*')
    assert [line.split()[1] for line in capsys.readouterr().out.splitlines() if 'neuron' in line] == ['head.neuron']
    assert all((tmp_path / 'pictures' / name).is_file() for name in PICTURES)


def test_the_drawn_input_is_what_the_network_gets():
    watch_input = runpy.run_path(str(DEMO))['watch_input']
    preprocessor = torch.nn.Module()
    preprocessor.forward = lambda data, training: dict(inputs=torch.zeros(1, 3, 4, 4))  # padded
    draw = watch_input(preprocessor)
    sample = torch.zeros(3, 2, 3, dtype=torch.uint8)
    sample[0] = 200  # blue, as mmcv reads
    preprocessor(dict(inputs=[sample]), False)
    picture, = draw()
    expected = np.zeros((4, 4, 3))
    expected[:2, :3, 2] = 200
    np.testing.assert_array_equal(picture, expected)


@pytest.mark.parametrize('missing', range(3))
def test_it_says_what_is_missing_without_a_traceback(
    config, checkpoint, image_folder, tmp_path, capsys, missing,
):
    args = [image_folder / 'cat' / '0.png', config, checkpoint]
    args[missing] = tmp_path / 'nowhere.png'
    with pytest.raises(SystemExit) as end:
        run(*args, '--out', tmp_path / 'pictures')
    assert end.value.code == 1
    assert 'nowhere.png' in capsys.readouterr().err
    assert not (tmp_path / 'pictures').exists()


def test_a_pattern_that_matches_nothing_names_the_layers(config, checkpoint, image_folder, tmp_path, capsys):
    with pytest.raises(SystemExit):
        run(image_folder / 'cat' / '0.png', config, checkpoint, '--out', tmp_path, '--layers', 'nothing')
    assert "but got 'nothing'; the" in capsys.readouterr().err


def test_a_model_without_neurons_is_refused(tmp_path, capsys):
    config, checkpoint = write_task(tmp_path, DETECTION)
    with pytest.raises(SystemExit):
        run(tmp_path / 'images' / '0.png', config, checkpoint, '--out', tmp_path / 'pictures')
    assert '`model` must have neurons' in capsys.readouterr().err
