"""demo/reconstruction_demo.py with a model that has learnt nothing yet, and what its columns show."""

import runpy
from pathlib import Path

import cv2
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

from spikemm.analysis.inputs import build_model
from spikemm.visualization.reconstruction import reconstruct

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / 'configs/spikformer_v2/mae_spikformerv2-nano_t1_1xb128-16e_digit-scenes.py'


@pytest.fixture
def model():
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        return build_model(Config.fromfile(CONFIG))


@pytest.fixture
def checkpoint(model, tmp_path):
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'mae.pth')
    return tmp_path / 'mae.pth'


def draw(config, checkpoint, image, out, *options):
    main = runpy.run_path(str(ROOT / 'demo/reconstruction_demo.py'))['main']
    main([str(arg) for arg in (config, checkpoint, image, '--out', out, *options)])
    return cv2.imread(str(out))


def test_the_seed_decides_what_is_masked_in_the_picture(checkpoint, image_folder, tmp_path, capsys):
    image, out = image_folder / 'cat' / '0.png', tmp_path / 'new' / 'picture.png'
    first, again, other = (draw(CONFIG, checkpoint, image, out, '--seed', seed) for seed in (0, 0, 1))
    assert (first == again).all() and (first != other).any()
    assert first.std() > 10  # not a blank page
    assert '1 images, 50 % of the patches masked' in capsys.readouterr().out


@pytest.mark.parametrize('config, message', [
    ('configs/spikformer_v2/spikformerv2-nano_t1_1xb64-8e_digit-scenes.py', "is 'ImageClassifier'"),
    ('configs/_base_/default_runtime.py', 'is None')])
def test_a_config_of_another_model_is_refused_in_one_line(
    config, message, checkpoint, image_folder, tmp_path, capsys,
):
    with pytest.raises(SystemExit) as end:
        draw(ROOT / config, checkpoint, image_folder / 'cat' / '0.png', tmp_path / 'picture.png')
    error = capsys.readouterr().err
    assert end.value.code == 1 and 'config must be of a model of type MAE' in error and message in error


def test_visible_patches_are_shown_as_they_are_and_masked_ones_predicted(model):
    images = torch.randn(2, 3, 32, 32)
    whole, visible, predicted, completed = reconstruct(model, images)
    masked = visible.isnan()
    assert torch.equal(whole, images) and masked.float().mean() == 0.5
    assert torch.equal(visible[~masked], images[~masked]) and torch.equal(completed[~masked], images[~masked])
    assert torch.equal(completed[masked], predicted[masked]) and not predicted.isnan().any()


def test_a_prediction_gets_back_the_mean_and_deviation_of_its_patch(model):
    images = 5 * torch.randn(1, 3, 32, 32) + 7
    target = model.head.construct_target(images)  # normalised, a patch at a time
    model.neck.forward = lambda latent, ids: target
    torch.testing.assert_close(reconstruct(model, images)[2], images)
