"""Images that are small, thin, grey, transparent, deep or damaged, in the pipelines of detection and segmentation."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmengine.dataset import pseudo_collate
from mmengine.registry import MODELS, DefaultScope
from PIL import Image
from spikingjelly.activation_based.neuron import BaseNode

from spikemm.datasets import CocoDataset, SegDataset

HEIGHT, WIDTH = 40, 56
BOX = (1, 1, 6, 4)
GREY = np.add.outer(np.arange(HEIGHT), np.arange(WIDTH)).astype(np.uint8)
STORED = {
    'grey': GREY,
    'grey of 16 bits': GREY.astype(np.uint16) * 256 + 7,
    'colour of 16 bits': np.dstack([GREY] * 3).astype(np.uint16) * 256 + 7,
    'transparent': np.dstack([GREY, GREY, GREY, 255 - GREY]),
}


def detection(root, on_error, size=(HEIGHT, WIDTH), boxes=(BOX,)):
    """Two images, ``0.png`` with a cat in ``BOX`` and ``1.png`` with cats in ``boxes`` (x, y, width, height)."""
    images = [dict(id=i, file_name=f'{i}.png', height=size[0], width=size[1]) for i in range(2)]
    annotations = [
        dict(id=j, image_id=min(j, 1), category_id=1, bbox=[x, y, w, h], area=w * h,
             segmentation=[[x, y, x + w, y, x + w, y + h, x, y + h]])
        for j, (x, y, w, h) in enumerate([BOX, *boxes])]
    content = dict(images=images, annotations=annotations, categories=[dict(id=1, name='cat')])
    (root / 'cats.json').write_text(json.dumps(content))
    return CocoDataset(
        data_root=str(root), ann_file='cats.json', data_prefix=dict(img='images'), metainfo=dict(classes=['cat']),
        pipeline=[dict(type='spikemm.LoadImage', on_error=on_error),
                  dict(type='mmdet.LoadAnnotations', with_bbox=True, with_mask=True),
                  dict(type='mmdet.Resize', scale_factor=1.0), dict(type='mmdet.PackDetInputs')])


def segmentation(root, on_error):
    """Two images, ``0.png`` and ``1.png``, with their masks."""
    (root / 'masks').mkdir(exist_ok=True)
    for i in range(2):
        Image.fromarray(np.zeros((HEIGHT, WIDTH), np.uint8)).save(root / f'masks/{i}.png')
    return SegDataset(
        data_root=str(root), data_prefix=dict(img_path='images', seg_map_path='masks'), img_suffix='.png',
        metainfo=dict(classes=['ground']), pipeline=[
            dict(type='spikemm.LoadImage', on_error=on_error), dict(type='spikemm.LoadSegMap'),
            dict(type='mmseg.PackSegInputs')])


@pytest.fixture
def root(tmp_path):
    (tmp_path / 'images').mkdir()
    for i in range(2):
        cv2.imwrite(str(tmp_path / f'images/{i}.png'), np.dstack([GREY] * 3))
    return tmp_path


both_tasks = pytest.mark.parametrize('dataset', [detection, segmentation])


@both_tasks
@pytest.mark.parametrize('kind', STORED)
def test_every_kind_of_image_becomes_three_channels_of_8_bits(root, dataset, kind):
    cv2.imwrite(str(root / 'images/0.png'), STORED[kind])
    image = dataset(root, 'raise')[0]['inputs']
    assert image.dtype == torch.uint8
    np.testing.assert_array_equal(image, np.stack([GREY] * 3))


def cut_off(root):
    """Put a JPEG without its last tenth in the place of the first image."""
    whole = cv2.imencode('.jpg', np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8))[1].tobytes()
    (root / 'images/0.png').write_bytes(whole[:9 * len(whole) // 10])  # OpenCV goes by the content, not the suffix


@both_tasks
def test_a_truncated_jpeg_is_named(root, dataset):
    cut_off(root)
    with pytest.raises(ValueError, match=rf'Cannot use the image {root}/images/0\.png \(the file is cut off'):
        dataset(root, 'raise')[0]


@both_tasks
def test_a_truncated_jpeg_is_replaced_by_another_image_in_training(root, dataset):
    cut_off(root)
    assert dataset(root, 'skip')[0]['data_samples'].img_path.endswith('1.png')


def test_an_image_of_another_size_than_its_annotation_says_is_named(root):
    with pytest.raises(ValueError, match=r'0\.png \(it is 56 x 40 pixels, its annotation says 40 x 56'):
        detection(root, 'raise', size=(WIDTH, HEIGHT))[0]


@both_tasks
def test_an_image_too_thin_to_be_resized_is_named(root, dataset):
    cv2.imwrite(str(root / 'images/0.png'), np.zeros((1, 4000, 3), np.uint8))
    with pytest.raises(ValueError, match=r'0\.png \(it is 4000 x 1 pixels, too thin'):
        dataset(root, 'raise')[0]


BASES = Path(__file__).parents[2] / 'configs/_base_/models'
DETECTORS = ['cascade-mask-rcnn_sdtv2_spike-fpn', 'mask-rcnn_sdtv2_fpn', 'mask-rcnn_sdtv2_spike-fpn',
             'retinanet_sdtv2_spike-fpn', 'yolox_sdtv2_spike-fpn']
SEGMENTORS = ['semantic-fpn_sdtv2_fpn', 'semantic-fpn_sdtv2_spike-fpn', 'upernet_sdtv2']


def small_batch(root, name):
    """The scope of a model and a batch for it with one image of 9 x 7 pixels."""
    cv2.imwrite(str(root / 'images/0.png'), GREY[:7, :9])
    if name in DETECTORS:
        return 'mmdet', pseudo_collate([detection(root, 'raise', size=(7, 9))[0]])
    dataset = segmentation(root, 'raise')
    Image.fromarray(np.zeros((7, 9), np.uint8)).save(root / 'masks/0.png')
    return 'mmseg', pseudo_collate([dataset[0]])


def build(scope, cfg):
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope(scope):
        return MODELS.build(ConfigDict(cfg))


@pytest.mark.parametrize('training', [True, False], ids=['training', 'test'])
@pytest.mark.parametrize('name', [*DETECTORS, *SEGMENTORS])
def test_every_shipped_model_pads_an_image_smaller_than_its_stride(root, name, training):
    scope, batch = small_batch(root, name)
    cfg = Config.fromfile(BASES / f'{name}.py').model.data_preprocessor
    cfg.pop('batch_augments', None)  # resizes the padded batch
    height, width = build(scope, cfg)(batch, training)['inputs'].shape[-2:]
    assert height % 32 == width % 32 == 0


def small_model(name):
    """A shipped Mask R-CNN or Semantic FPN with narrow layers."""
    model = Config.fromfile(BASES / f'{name}.py').model
    model.backbone.update(arch=dict(preset='nano'), out_indices=(0, 1, 2, 3), init_cfg=None)
    model.neck.update(in_channels=[16, 32, 64, 96], out_channels=16)
    if name in SEGMENTORS:
        model.decode_head.update(in_channels=[16] * 4, channels=16, num_classes=3, norm_cfg=dict(type='BN'))
        return model
    model.rpn_head.update(in_channels=16, feat_channels=16)
    for part in ('bbox_roi_extractor', 'mask_roi_extractor'):
        model.roi_head[part].out_channels = 16
    model.roi_head.bbox_head.update(in_channels=16, fc_out_channels=16, num_classes=1)
    model.roi_head.mask_head.update(in_channels=16, conv_out_channels=16, num_classes=1)
    model.test_cfg.rcnn.score_thr = 0.0
    return model


def watch(model):
    """A list that every neuron of the model adds to: whether it has fired."""
    fired = []
    for module in model.modules():
        if isinstance(module, BaseNode):
            module.register_forward_hook(lambda module, args, out: fired.append(bool(out.any())))
    return fired


def test_the_mask_of_an_image_of_9_x_7_pixels_is_predicted(root):
    scope, batch = small_batch(root, 'semantic-fpn_sdtv2_spike-fpn')
    model = build(scope, small_model('semantic-fpn_sdtv2_spike-fpn')).eval()
    fired = watch(model)
    result = model.test_step(batch)[0]
    assert any(fired)
    assert result.pred_sem_seg.data.shape == (1, 7, 9)


def test_objects_in_an_image_of_9_x_7_pixels_are_predicted_inside_it(root):
    scope, batch = small_batch(root, 'mask-rcnn_sdtv2_spike-fpn')
    model = build(scope, small_model('mask-rcnn_sdtv2_spike-fpn')).eval()
    fired = watch(model)
    found = model.test_step(batch)[0].pred_instances
    assert any(fired)
    assert len(found) > 0
    assert found.masks.shape[1:] == (7, 9)
    assert found.bboxes.min() >= 0
    assert (found.bboxes.amax(0) <= torch.tensor([9, 7, 9, 7])).all()


@pytest.mark.parametrize('name', ['mask-rcnn_sdtv2_fpn', 'mask-rcnn_sdtv2_spike-fpn'])
@pytest.mark.parametrize(('boxes', 'images'), [
    ([], (0, 1)), ([], (1, 1)), ([[8, 8, 1, 1]], (0, 1)), ([[WIDTH - 1, 8, 16, 16]], (0, 1)),
], ids=['one image without', 'no image with', '1 pixel', '1 pixel in the image'])
def test_the_loss_of_a_detector_is_finite_for_images_with_few_or_no_boxes(root, name, boxes, images):
    dataset = detection(root, 'raise', boxes=boxes)
    assert [len(dataset[i]['data_samples'].gt_instances) for i in range(2)] == [1, len(boxes)]
    model = build('mmdet', small_model(name)).train()
    fired = watch(model)
    losses = model(**model.data_preprocessor(pseudo_collate([dataset[i] for i in images]), True), mode='loss')
    total, log = model.parse_losses(losses)
    total.backward()
    assert any(fired)
    assert all(value.isfinite() for value in log.values()), log
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())
