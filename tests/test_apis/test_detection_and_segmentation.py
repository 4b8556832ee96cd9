"""Inferencers and the demo for detection and segmentation."""

import runpy
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.registry import DefaultScope
from tiny_tasks import CLASSES, DETECTION, SEGMENTATION, SIZES, write_task

from spikemm.apis.inferencers import init_inferencer

DEMO = Path(__file__).parents[2] / 'demo' / 'image_demo.py'
TASKS = {'mmdet': DETECTION, 'mmseg': SEGMENTATION}
RED = (0, 0, 255)  # BGR


@pytest.fixture(scope='module', params=TASKS)
def task(request, tmp_path_factory):
    """Config, checkpoint and images of each task."""
    folder = tmp_path_factory.mktemp(request.param)
    config, checkpoint = write_task(folder, TASKS[request.param])
    return config, checkpoint, sorted(map(str, folder.glob('images/*.png')))


@pytest.fixture(scope='module')
def inferencer(task):
    return init_inferencer(*task[:2], 'cpu')


def assert_equal(first, second):
    assert first.keys() == second.keys()
    for name in first:
        np.testing.assert_allclose(first[name], second[name], atol=1e-4)


def test_results_have_the_size_of_the_image(inferencer, task):
    for prediction, (height, width) in zip(inferencer(task[2]), SIZES, strict=True):
        if inferencer.scope == 'mmseg':
            assert prediction['sem_seg'].shape == (height, width)
            continue
        assert prediction['masks'].shape == (len(prediction['scores']), height, width)
        boxes = prediction['bboxes']
        assert len(boxes) and (boxes <= np.array([width, height] * 2) + 1e-3).all()
        assert (np.diff(prediction['scores']) <= 0).all()


def test_a_batch_is_as_each_image_alone(inferencer, task):
    predictions = inferencer(task[2], batch_size=3)
    values = predictions[0]['sem_seg' if inferencer.scope == 'mmseg' else 'scores']
    assert len(np.unique(values)) > 1, 'a dead model, the comparison proves nothing'
    for alone, together in zip(map(inferencer, task[2]), predictions, strict=True):
        assert_equal(alone[0], together)


def test_an_array_is_predicted_as_its_file(inferencer, task):
    assert_equal(*inferencer([task[2][0], cv2.imread(task[2][0])]))


def test_each_works_amid_another_library_and_leaves_its_scope(task, config, checkpoint, image_folder):
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        first = init_inferencer(*task[:2], 'cpu')
        init_inferencer(config, checkpoint, 'cpu')(str(image_folder / 'cat' / '0.png'))
        assert len(first(task[2][0])) == 1
        assert DefaultScope.get_current_instance().scope_name == 'mmpretrain'


def test_an_unreadable_image_is_named(inferencer, task, tmp_path):
    (tmp_path / 'broken.png').write_bytes(b'not an image')
    with pytest.raises(ValueError, match=r'broken\.png.*not an image'):
        inferencer([task[2][0], str(tmp_path / 'broken.png')])


def test_an_unreadable_image_is_named_where_the_config_would_skip_it(tmp_path):
    text = SEGMENTATION.replace("dict(type='LoadImageFromFile')", "dict(type='spikemm.LoadImage', on_error='skip')")
    (tmp_path / 'broken.png').write_bytes(b'not an image')
    inferencer = init_inferencer(*write_task(tmp_path, text), 'cpu')
    with pytest.raises(ValueError, match=r'broken\.png'):
        inferencer(str(tmp_path / 'broken.png'))


@pytest.mark.parametrize(('shape', 'dtype', 'message'), [
    ((60, 80), 'uint8', r'uint8 \[H, W, 3\], but got uint8 \[60, 80\]'),
    ((60, 80, 4), 'uint8', r'but got uint8 \[60, 80, 4\]'),
    ((60, 80, 3), 'float32', r'but got float32 \[60, 80, 3\]'),
    ((0, 0, 3), 'uint8', r'but got uint8 \[0, 0, 3\]'),
    ((1, 3000, 3), 'uint8', 'it is 3000 x 1 pixels, too thin'),
])
def test_an_array_that_is_no_image_is_refused(inferencer, shape, dtype, message):
    with pytest.raises(ValueError, match=message):
        inferencer(np.zeros(shape, dtype))


def test_a_drawing_of_no_image_is_refused(inferencer):
    assert inferencer([]) == []
    with pytest.raises(ValueError, match=r'`images` must have at least one image to draw, but got \[\]'):
        inferencer.draw([], [])


def test_a_checkpoint_of_another_model_is_refused(task, checkpoint):
    with pytest.raises(RuntimeError, match=r'tiny\.pth does not fit'):
        init_inferencer(task[0], checkpoint, 'cpu')


def test_a_device_that_is_not_there_is_refused(task, monkeypatch):
    monkeypatch.setattr('torch.cuda.is_available', lambda: False)
    with pytest.raises(ValueError, match=r"device must be .* got 'cuda:0'"):
        init_inferencer(*task[:2], 'cuda:0')


def test_a_drawing_shows_the_square_where_it_is(inferencer, task, tmp_path):
    prediction = dict(sem_seg=np.pad(np.ones((20, 30), dtype=np.int64), ((5, 35), (10, 40))))
    if inferencer.scope == 'mmdet':
        prediction = dict(
            labels=np.array([1]), scores=np.array([0.9]), bboxes=np.array([[10.0, 5, 40, 25]]),
            masks=prediction['sem_seg'][None] == 1)
    inferencer.draw([task[2][0]], [prediction]).savefig(tmp_path / 'drawing.png')
    picture = cv2.imread(str(tmp_path / 'drawing.png'))[:480, :640]  # eight times the image
    image = cv2.resize(cv2.imread(task[2][0]), None, fx=8, fy=8, interpolation=cv2.INTER_NEAREST)
    inside, outside = np.s_[120:190, 90:310], np.s_[220:480, 20:]
    assert (picture[inside].std((0, 1)) < 3).all(), 'one colour over the red square'
    assert np.abs(picture[inside].mean((0, 1)) - RED).max() > 50
    same = np.array_equal(picture[outside], image[outside])
    assert same if inferencer.scope == 'mmdet' else not same  # objects leave the rest alone, a segmentation covers it


def test_describe_lists_what_is_best_first(inferencer):
    if inferencer.scope == 'mmseg':
        lines = inferencer.describe(dict(sem_seg=np.array([[2, 2], [2, 0], [255, 255], [2, 2]]))).splitlines()
        assert [line.split() for line in lines] == [['62.50%', 'owl'], ['12.50%', 'cat']]
        return
    found = dict(labels=np.array([2, 0]), scores=np.array([0.9, 0.5]), bboxes=np.array([[1, 2, 3, 4], [5, 6, 7, 8]]))
    lines = inferencer.describe(found).splitlines()
    assert [line.split() for line in lines] == [
        ['90.00%', 'owl', '1', '2', '3', '4'], ['50.00%', 'cat', '5', '6', '7', '8']]
    assert len(inferencer.describe(found, topk=1).splitlines()) == 1
    assert inferencer.describe({name: field[:0] for name, field in found.items()}) == 'No object was found.'


def test_the_demo_prints_a_table_and_writes_a_picture(task, tmp_path, capsys):
    out = tmp_path / 'new' / 'picture.png'
    args = [task[2][0], *task[:2], '--out', out, '--score-thr', 0, '--topk', 3]
    runpy.run_path(str(DEMO))['main']([str(arg) for arg in args])
    lines = [line.split() for line in capsys.readouterr().out.splitlines() if '%' in line]
    assert 1 <= len(lines) <= 3 and {line[1] for line in lines} <= set(CLASSES)
    assert cv2.imread(str(out)).std() > 10


def test_objects_below_the_threshold_are_left_out(tmp_path):
    config, checkpoint = write_task(tmp_path, DETECTION)
    inferencer = init_inferencer(config, checkpoint, 'cpu')
    image = str(tmp_path / 'images' / '0.png')
    scores = inferencer(image)[0]['scores']
    assert len(scores) > 2
    assert inferencer(image, score_thr=float(scores[1]))[0]['scores'].tolist() == scores[:2].tolist()


def test_classes_must_be_known(tmp_path):
    config, checkpoint = write_task(tmp_path, SEGMENTATION)

    torch.save(torch.load(checkpoint)['state_dict'], checkpoint)
    config.write_text(config.read_text().replace(f'metainfo=dict(classes={CLASSES})', 'metainfo=dict()'))
    with pytest.raises(ValueError, match='metainfo of the test dataset must name the classes'):
        init_inferencer(config, checkpoint, 'cpu')
