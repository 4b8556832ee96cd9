import cv2
import numpy as np
import pytest
import torch
from mmengine.registry import DefaultScope

from spikemm.apis.inferencers import init_inferencer


@pytest.fixture
def inferencer(config, checkpoint):
    return init_inferencer(config, checkpoint, 'cpu')


@pytest.fixture
def images(image_folder):
    return sorted(map(str, image_folder.glob('*/*.png')))


def test_scores_are_those_of_the_model_on_the_normalised_image(inferencer, model, images):
    image = torch.from_numpy(cv2.imread(images[0])[..., ::-1].copy()).float()  # RGB
    image = (image - torch.tensor([100.0, 110, 120])) / torch.tensor([50.0, 60, 70])
    with torch.no_grad():
        wanted = model(image.permute(2, 0, 1)[None], mode='tensor').softmax(-1)[0]
    prediction, = inferencer(images[0])
    assert prediction['pred_scores'] == pytest.approx(wanted.numpy(), abs=1e-6)
    assert prediction['pred_class'] == ('cat', 'dog')[int(wanted.argmax())]


def test_images_differ_and_a_batch_is_as_each_alone(inferencer, images):
    alone = [inferencer(image)[0]['pred_scores'] for image in images]
    assert len({scores.tobytes() for scores in alone}) == len(images), 'a dead model, the comparison proves nothing'
    together = [p['pred_scores'] for p in inferencer(images, batch_size=3)]
    np.testing.assert_allclose(together, alone, atol=1e-6)


def test_an_array_is_predicted_as_its_file(inferencer, images):
    by_file, by_array = inferencer([images[0], cv2.imread(images[0])])
    np.testing.assert_array_equal(by_file['pred_scores'], by_array['pred_scores'])


def test_it_works_amid_another_task_and_leaves_its_scope(config, checkpoint, images):
    with DefaultScope.overwrite_default_scope('mmseg'):
        init_inferencer(config, checkpoint, 'cpu')(images[0])
        assert DefaultScope.get_current_instance().scope_name == 'mmseg'


def test_classes_are_the_configs_where_the_checkpoint_has_none(config, model, images, tmp_path):
    torch.save(model.state_dict(), tmp_path / 'plain.pth')
    inferencer = init_inferencer(config, tmp_path / 'plain.pth', 'cpu')
    assert inferencer.classes == ['cat', 'dog']


def test_a_checkpoint_that_does_not_fit_is_refused_by_its_keys(config, model, tmp_path):
    state = model.state_dict()
    del state['head.fc.bias']
    torch.save(state, tmp_path / 'other.pth')
    with pytest.raises(RuntimeError, match=r'other\.pth does not fit .* 1 missing, first head\.fc\.bias'):
        init_inferencer(config, tmp_path / 'other.pth')


def test_missing_files_are_named(config, checkpoint, inferencer, tmp_path):
    with pytest.raises(FileNotFoundError, match=r'config .*no\.py'):
        init_inferencer(tmp_path / 'no.py', checkpoint)
    with pytest.raises(FileNotFoundError, match=r'checkpoint .*no\.pth'):
        init_inferencer(config, tmp_path / 'no.pth')
    with pytest.raises(ValueError, match=r'no\.png'):
        inferencer(str(tmp_path / 'no.png'))


def test_a_corrupt_image_is_named(inferencer, images, tmp_path):
    (tmp_path / 'broken.png').write_bytes(b'not an image')
    with pytest.raises(ValueError, match=r'broken\.png.*not an image'):
        inferencer([images[0], str(tmp_path / 'broken.png')])


def test_what_is_no_image_is_refused(inferencer):
    with pytest.raises(ValueError, match=r'must be uint8 \[H, W, 3\], but got float64 \[8, 8\]'):
        inferencer(np.zeros((8, 8)))
    with pytest.raises(ValueError, match='at least one image to draw'):
        inferencer.draw([], [])


def test_a_task_without_inferencer_is_refused(config, checkpoint):
    config.write_text(config.read_text().replace("'mmpretrain'", "'mmaction'"))
    with pytest.raises(ValueError, match=r"default_scope must be one of .* 'mmaction'"):
        init_inferencer(config, checkpoint)


def test_describe_lists_the_best_classes_first(inferencer):
    prediction = dict(pred_scores=np.array([0.25, 0.75], dtype=np.float32))
    assert inferencer.describe(prediction).split() == ['75.00%', 'dog', '25.00%', 'cat']
    assert inferencer.describe(prediction, topk=1).split() == ['75.00%', 'dog']


def test_a_drawing_shows_the_image_and_frames_mistakes_alone(inferencer, tmp_path):
    blue = np.zeros((32, 32, 3), dtype=np.uint8)
    blue[..., 0] = 255  # BGR

    def colours(label):
        inferencer.draw([blue], [dict(pred_label=1, pred_score=0.9)], [label]).savefig(tmp_path / 'drawing.png')
        pixels = cv2.imread(str(tmp_path / 'drawing.png')).reshape(-1, 3)
        return [int((pixels == colour).all(1).sum()) for colour in ((255, 0, 0), (0x2e, 0x22, 0xcf))]

    right, wrong = colours(1), colours(0)
    assert min(right[0], wrong[0]) > 200 ** 2  # pixels of the image
    assert right[1] == 0 and wrong[1] > 2000  # pixels of the frame
