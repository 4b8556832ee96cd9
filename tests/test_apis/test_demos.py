"""The scripts of demo/, run in this process."""

import runpy
from pathlib import Path

import cv2
import pytest
import torch

DEMO = Path(__file__).parents[2] / 'demo'


def run(script, *args):
    runpy.run_path(str(DEMO / script))['main']([str(arg) for arg in args])


def test_image_demo_prints_the_best_classes_and_writes_a_picture(config, checkpoint, image_folder, tmp_path, capsys):
    out = tmp_path / 'new' / 'picture.png'
    run('image_demo.py', image_folder / 'cat' / '0.png', config, checkpoint, '--out', out, '--topk', 2)
    lines = [line for line in capsys.readouterr().out.splitlines() if '%' in line]
    scores = [float(line.split('%')[0]) for line in lines]
    assert {line.split()[1] for line in lines} == {'cat', 'dog'}
    assert scores[0] >= scores[1] and sum(scores) == pytest.approx(100, abs=0.02)
    assert cv2.imread(str(out)).std() > 10  # not a blank page


@pytest.mark.parametrize('missing', range(3))
def test_image_demo_says_what_is_missing_without_a_traceback(
    config, checkpoint, image_folder, tmp_path, capsys, missing,
):
    args = [image_folder / 'cat' / '0.png', config, checkpoint]
    args[missing] = tmp_path / 'nowhere.png'
    with pytest.raises(SystemExit) as end:
        run('image_demo.py', *args, '--out', tmp_path / 'picture.png')
    assert end.value.code == 1
    assert 'nowhere.png' in capsys.readouterr().err
    assert not (tmp_path / 'picture.png').exists()


def test_predictions_counts_what_is_right(config, model, tmp_path, capsys):
    torch.nn.init.constant_(model.head.fc.bias, 0)
    model.head.fc.bias.data[1] = 1000  # whatever it sees is a dog
    torch.save(model.state_dict(), tmp_path / 'dogs.pth')
    out = tmp_path / 'picture.png'
    run('predictions.py', config, tmp_path / 'dogs.pth', '--out', out)
    assert '5 of 8 random test images right' in capsys.readouterr().out
    assert cv2.imread(str(out)).std() > 10
