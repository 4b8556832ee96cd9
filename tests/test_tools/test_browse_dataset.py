"""Pictures of what the data pipelines make."""

import runpy

import cv2
import numpy as np
import pytest
from tiny_tasks import DETECTION, SEGMENTATION, SIZES, write_task
from tool_runs import TOOLS


@pytest.fixture(scope='module')
def task(request, tmp_path_factory):
    return write_task(tmp_path_factory.mktemp('task'), request.param)[0]


@pytest.fixture
def browse(tmp_path):
    """Run the tool; return the pictures by name."""

    def run(config, *args):
        main = runpy.run_path(str(TOOLS / 'misc/browse_dataset.py'))['main']
        main([str(config), '--not-show', '--output-dir', str(tmp_path / 'pictures'), *args])
        return {path.name: cv2.imread(str(path)) for path in (tmp_path / 'pictures').iterdir()}

    return run


@pytest.mark.parametrize('task', [DETECTION, SEGMENTATION], ids=['mmdet', 'mmseg'], indirect=True)
def test_the_transformed_sample_has_its_truth_flipped_with_it(task, browse):
    picture = browse(task)['0.png'][:480, :640]  # image 0 is 60 x 80 pixels
    assert abs(picture[100:140, 360:500].std((0, 1))).max() < 3  # one colour over the square, mirrored
    assert picture[100:140, 140:280].std((0, 1)).min() > 3  # where it was


@pytest.mark.parametrize('task', [DETECTION, SEGMENTATION], ids=['mmdet', 'mmseg'], indirect=True)
def test_the_original_is_drawn_on_its_left(task, browse):
    picture = browse(task, '--mode', 'concat')['0.png']
    assert abs(picture[100:140, 140:280].std((0, 1))).max() < 3
    assert picture.shape[1] >= 2 * 640


@pytest.mark.parametrize('task', [DETECTION], ids=['mmdet'], indirect=True)
def test_number_phase_and_overrides_choose_the_samples(task, browse):
    pictures = browse(
        task, '--phase', 'test', '--show-number', '2', '--mode', 'original',
        '--cfg-options', 'test_dataloader.dataset.indices=3')
    assert sorted(pictures) == ['0.png', '1.png']
    assert len(browse(task)) == len(SIZES)


@pytest.mark.parametrize('pad', ['', "dict(type='Pad', size=(128, 128)), "], ids=['resized', 'padded'])
@pytest.mark.parametrize('text', [DETECTION, SEGMENTATION], ids=['mmdet', 'mmseg'])
def test_truth_that_is_loaded_behind_resize_lies_on_its_object(text, pad, tmp_path, browse):
    text = text.replace('resize, annotations', f'resize, {pad}annotations')
    text = text.replace("resize, dict(type='LoadAnnotations')", f"resize, {pad}dict(type='LoadAnnotations')")
    picture = browse(write_task(tmp_path, text)[0], '--phase', 'test')['0.png'][:480, :640]
    assert abs(picture[100:140, 140:280].std((0, 1))).max() < 3  # one colour over the square
    assert picture[260:300, 140:280].std((0, 1)).min() > 3


MIXED = """
train_dataloader['dataset'] = dict(
    type='MultiImageMixDataset',
    dataset=dict(data, pipeline=[dict(type='LoadImageFromFile'), dict(type='LoadAnnotations', with_bbox=True)]),
    pipeline=[dict(type='Mosaic', img_scale=(64, 64)), dict(type='PackDetInputs')])
"""


def test_mixed_images_are_drawn_beside_their_original(tmp_path, browse):
    config, _ = write_task(tmp_path, DETECTION + MIXED)
    original = browse(config, '--mode', 'original')['0.png']
    both = browse(config, '--mode', 'concat')['0.png']
    assert both.shape == (640, 2 * 640, 3)  # the mosaic is square
    np.testing.assert_array_equal(both[:480, :640], original)


@pytest.mark.parametrize('mode', ['original', 'transformed', 'concat'])
def test_an_unreadable_image_is_named_even_where_training_skips_it(mode, tmp_path, browse):
    text = DETECTION.replace("pipeline=[\n        dict(type='LoadImageFromFile')",
                             "pipeline=[\n        dict(type='spikemm.LoadImage', on_error='skip')", 1)
    config, _ = write_task(tmp_path, text)
    (tmp_path / 'images' / '1.png').write_bytes(b'not an image')
    with pytest.raises(ValueError, match=r'1\.png \(the file is cut off or not an image'):
        browse(config, '--mode', mode)


def test_a_classification_sample_has_its_class_below(config, browse):
    pictures = browse(config)
    assert len(pictures) == 24, 'images of one name in several folders must not overwrite each other'
    picture = pictures['0.png']
    assert picture.shape == (670, 640, 3)
    assert (picture[640:] < 100).any() and np.median(picture[640:]) == 255  # a few dark letters on white


def test_neither_window_nor_folder_is_refused(config, capsys):
    with pytest.raises(SystemExit):
        runpy.run_path(str(TOOLS / 'misc/browse_dataset.py'))['main']([str(config), '--not-show'])
    assert '--not-show needs --output-dir' in capsys.readouterr().err
