"""Every config builds its model, learns a step and predicts; its name, schedule and data hold; so do Tables 1 to 5."""

import inspect
import json
import re
from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import yaml
from event_files import write_dat
from mmdet.registry import TASK_UTILS
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.config import Config, ConfigDict
from mmengine.dataset import Compose, default_collate, pseudo_collate
from mmengine.logging import MessageHub
from mmengine.model import BaseModel
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DATASETS, MODELS, PARAM_SCHEDULERS, DefaultScope
from mmengine.runner import FlexibleRunner, Runner
from mmengine.structures import InstanceData, PixelData
from mmpretrain.structures import DataSample
from mmseg.structures import SegDataSample
from spikingjelly.activation_based.neuron import BaseNode
from torch import Tensor, nn

import spikemm.datasets.transforms  # noqa: F401  (mmpretrain's transforms, for Compose)
from spikemm.analysis.inputs import config_shape
from spikemm.datasets.events import make_events
from spikemm.engine.cpu import adapt_optim_wrapper
from spikemm.models.backbones import ConvertedANN, SpikingBackbone
from spikemm.models.selfsup import MaskedSpikformerV2
from spikemm.registry import MODELS as SPIKEMM_MODELS

ROOT = Path(__file__).parents[1]
CONFIGS = sorted(path for path in (ROOT / 'configs').rglob('*.py') if '_base_' not in path.parts)
MODEL_ZOO = ROOT / 'configs/meta_spikeformer'


@pytest.fixture(autouse=True, scope='module')
def flushed_denormals():
    """As in training: at initialisation the surrogate gradients' tails make it 10 times slower otherwise."""
    torch.set_flush_denormal(True)
    yield
    torch.set_flush_denormal(False)


@cache
def parsed(path: Path) -> Config:
    return Config.fromfile(path)


def of(*scopes: str) -> list[Path]:
    return [path for path in CONFIGS if parsed(path).default_scope in scopes]


def each(paths: Iterable[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize('path', paths, ids=lambda path: path.stem)


every_config = each(CONFIGS)
spiking_classification = each(
    [path for path in of('mmpretrain') if parsed(path).model.get('head', {}).get('type', '').startswith('spikemm.')])
detection = each(of('mmdet'))
detection_and_segmentation = each(of('mmdet', 'mmseg'))


def complete(path: Path) -> Config:
    """Read a config and complete the model as a Runner does, without downloading anything."""
    cfg = deepcopy(parsed(path))
    if 'data_preprocessor' in cfg:
        cfg.model.setdefault('data_preprocessor', cfg.data_preprocessor)
    if 'teacher' in cfg.model:
        cfg.model.teacher.pretrained = False
    return cfg


def load(path: Path) -> Config:
    """A config whose model a test can train in seconds."""
    cfg = complete(path)
    return shrink(cfg) if cfg.default_scope != 'mmpretrain' or path.parent not in (MODEL_ZOO, MODEL_ZOO / 'ablations') \
        else cfg


def build(cfg: Config) -> BaseModel:
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        return MODELS.build(cfg.model)


def parameters(cfg: Config) -> float:
    """Number of parameters, in millions."""
    with torch.device('meta' if time_steps(cfg) else 'cpu'):  # ANNs of the libraries read numbers
        return sum(p.numel() for p in build(cfg).parameters()) / 1e6


def walk(node, keys: tuple = ()) -> Iterator[tuple[tuple, object]]:
    """Every value of a config with the keys that lead to it, containers included."""
    yield keys, node
    if isinstance(node, dict):
        for key, value in node.items():
            yield from walk(value, (*keys, key))
    elif isinstance(node, (list, tuple)):
        for i, value in enumerate(node):
            yield from walk(value, (*keys, i))


def of_events(cfg: Config) -> bool:
    return 'spikemm.Event' in (cfg.model.get('data_preprocessor') or {}).get('type', '')


def find_step(cfg: Config, kind: str) -> ConfigDict | None:
    """The step of the training pipeline that is of this type."""
    return next((step for step in cfg.train_pipeline if step.type == kind), None)


def time_steps(cfg: Config) -> int | None:
    """Time steps of a sample; an image has those that the backbone makes of it, an ANN has none."""
    made = find_step(cfg, 'spikemm.EventFrames') or find_step(cfg, 'spikemm.SampleClip') or cfg.model.backbone
    return made.get('T')


def preset_of(backbone: ConfigDict) -> str | None:
    """The preset of a backbone of ours."""
    arch = backbone.get('arch')
    return arch.preset if isinstance(arch, dict) else arch


def pictures(cfg: Config, size: int) -> Tensor:
    """Two images, or two clips of frames of events; short ones, as no parameter depends on T."""
    if not of_events(cfg):
        return torch.randint(256, (2, 3, size, size), dtype=torch.uint8)
    channels = cfg.model.backbone.get('ann', cfg.model.backbone).in_channels
    return torch.randint(4, (2, 3 * channels, size, size)).float()


def images(cfg: Config) -> dict:
    """A batch for a classifier, in the size that its pipeline crops or 64 pixels."""
    size = min(64, *(step.get('crop_size', 64) for step in cfg.train_pipeline))
    backbone = cfg.model.backbone
    kind = backbone.get('ann', backbone).type
    if kind in ('VGG', 'VisionTransformer') or cfg.model.type == 'MAE':  # they know one size
        size = config_shape(cfg)[-1]
    classes = cfg.model.head.get('num_classes', 10)
    inputs = pictures(cfg, size)
    return dict(inputs=inputs, data_samples=[DataSample().set_gt_label(i * (classes - 1)) for i in range(2)])


def scenes(cfg: Config) -> dict:
    """A batch for a detector: an object in the first image, none in the second."""
    height, width = 64, 64
    samples = []
    for boxes in ([[16.0, 8.0, 48.0, 40.0]], []):
        shapes = dict(img_shape=(height, width), ori_shape=(height, width), scale_factor=(1.0, 1.0))
        sample = DetDataSample(metainfo=shapes)
        masks = BitmapMasks(np.ones((len(boxes), height, width), dtype=np.uint8), height, width)
        boxes = torch.tensor(boxes).view(-1, 4)
        sample.gt_instances = InstanceData(bboxes=boxes, labels=torch.zeros(len(boxes)).long(), masks=masks)
        sample.ignored_instances = InstanceData(bboxes=torch.empty(0, 4))
        samples.append(sample)
    return dict(inputs=list(pictures(cfg, height)), data_samples=samples)


def maps(cfg: Config) -> dict:
    """A batch for a segmentor: all classes in the first image, nothing but "ignore" in the second."""
    size, head = (64, 64), cfg.model.decode_head
    ignored = head.get('ignore_index', 255)
    labels = torch.stack([torch.randint(head.num_classes, (1, *size)), torch.full((1, *size), ignored)])
    shapes = dict(img_shape=size, ori_shape=size)
    samples = [SegDataSample(gt_sem_seg=PixelData(data=data), metainfo=shapes) for data in labels]
    return dict(inputs=list(torch.randint(256, (2, 3, *size), dtype=torch.uint8)), data_samples=samples)


BATCHES: dict[str, Callable[[Config], dict]] = {'mmpretrain': images, 'mmdet': scenes, 'mmseg': maps}


def shrink(cfg: Config) -> Config:
    """Let a test of a detector or segmentor take seconds: one block a stage, few boxes, small images; widths stay."""
    backbone = cfg.model.backbone
    backbone.init_cfg = None  # weights of others, from the network
    kind = MODELS.get(backbone.type)
    if kind is ConvertedANN:
        backbone.T = 2
    if inspect.isclass(kind) and issubclass(kind, SpikingBackbone):
        backbone.arch = dict(preset=preset_of(backbone)) if isinstance(backbone.arch, str) else backbone.arch
        sizes = kind.resolve(backbone.arch)
        backbone.arch.update(dict(depth=1) if hasattr(sizes, 'depth') else dict(depths=(1, ) * len(sizes.depths)))
    for _, node in walk(cfg.model):
        if isinstance(node, dict):
            for key in ('num', 'nms_pre', 'max_per_img'):  # sampled for the loss; before and after NMS
                if isinstance(node.get(key), int):
                    node[key] = min(node[key], 16)
            if 'score_thr' in node:
                node.score_thr = 0.0  # an untrained network finds nothing with a score worth showing
    if cfg.default_scope == 'mmseg':
        cfg.model.data_preprocessor.size = (64, 64)
    return cfg


def count_spikes(model: nn.Module) -> list[Tensor]:
    """Let every neuron note how many spikes it fires."""
    counts = []
    for module in model.modules():
        if isinstance(module, BaseNode):
            module.register_forward_hook(lambda module, args, spikes: counts.append(spikes.detach().sum()))
    return counts


def train_a_step_and_predict(cfg: Config) -> None:
    """A step of training that moves every parameter, with spikes where there are neurons; then a prediction."""
    torch.manual_seed(0)
    adapt_optim_wrapper(cfg)
    MessageHub.get_current_instance().update_info('iter', 0)  # which the images' size goes by in YOLOX
    batch = BATCHES[cfg.default_scope](cfg)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        model = build(cfg).train()
        optim_wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
        counts = count_spikes(model)
        with optim_wrapper.optim_context(model):
            losses = model(**model.data_preprocessor(batch, training=True), mode='loss')
        loss, _ = model.parse_losses(losses)
        assert loss.isfinite()
        assert (sum(counts) > 0) == (time_steps(cfg) is not None), 'silent network, or an ANN that has spikes'
        optim_wrapper.backward(loss)
        dead = [name for name, p in model.named_parameters() if p.requires_grad and p.grad is None]
        assert not dead
        assert all(p.grad.isfinite().all() for p in model.parameters() if p.requires_grad)
        first = next(p for p in model.backbone.parameters() if p.requires_grad)
        assert first.grad.abs().sum() > 0, 'no gradient arrives at the image'
        optim_wrapper.step()
        assert all(p.isfinite().all() for p in model.parameters())
        if cfg.model.type == 'MAE':  # it predicts pixels, not what an image is
            return
        predictions = model.eval().test_step(batch)
    assert len(predictions) == 2


@every_config
def test_a_training_step_and_a_prediction(path):
    train_a_step_and_predict(load(path))


DEMOS = {
    'classification': 'meta_spikeformer/sdtv2-nano_t1_1xb64-8e_digit-scenes',
    'detection': 'mask_rcnn/mask-rcnn_sdtv2-nano_t1_1xb8-1e_digit-scenes',
    'segmentation': 'semantic_fpn/fpn_sdtv2-nano_t1_1xb20-2k_digit-scenes-64x64',
    'events': 'meta_spikeformer/sdtv2-nano_t4_1xb64-8e_digit-scenes-events'}
BACKBONES = sorted(
    (cls for cls in SPIKEMM_MODELS.module_dict.values()
     if inspect.isclass(cls) and issubclass(cls, (SpikingBackbone, ConvertedANN)) and cls is not MaskedSpikformerV2),
    key=lambda cls: cls.__name__)


@pytest.mark.parametrize('task', DEMOS)
@pytest.mark.parametrize('cls', BACKBONES)
def test_every_backbone_runs_in_all_four_tasks(cls, task):
    cfg = load(ROOT / f'configs/{DEMOS[task]}.py')
    model, demo = cfg.model, cfg.model.backbone
    neuron = dict(demo.neuron, decay_input=False)  # fires on spikes, too
    shared = dict(type=f'spikemm.{cls.__name__}', T=demo.T, neuron=neuron)
    if cls is ConvertedANN:
        outs = [i - 4 for i in demo.get('out_indices', (3, ))]  # strides 2, 4, 8, 8 there and 1, 2, 4, 8 here
        outs = {(-4, -3, -1): (1, 2, 3), (-3, -1): (2, 3), (-1, ): (3, )}[tuple(outs)]
        ann = dict(type='mmpretrain.ResNet_CIFAR', depth=18, base_channels=16, stem_channels=16, out_indices=outs)
        model.backbone = dict(shared, ann=dict(ann, in_channels=demo.get('in_channels', 3)), time_reduction=None)
    else:
        kept = {key: demo[key] for key in ('in_channels', 'out_indices') if key in demo}
        model.backbone = dict(shared, arch=dict(preset='nano'), **kept)
    channels = MODELS.build(model.backbone).out_channels
    if 'neck' in model and model.neck:
        model.neck.in_channels = channels
    else:
        model.head.update(in_channels=channels[-1], fire_first=True, neuron=neuron)
    train_a_step_and_predict(cfg)


def record(height: int, width: int) -> dict:
    """What a loaded recording is: events all over the sensor, for a second."""
    rng = np.random.default_rng(0)
    t, x, y, p = (rng.integers(high, size=20_000) for high in (1_000_000, width, height, 2))
    return dict(events=make_events(np.sort(t), x, y, p), sensor_size=(height, width))


def shown(cfg: Config, path: Path) -> dict:
    """A file, in a batch of its own, as the test pipeline shows it, but no larger than 128 pixels."""
    steps = [step.copy() for step in cfg.test_pipeline if not re.search('Annotations|SegMap', step.type)]
    for step in steps:
        if step.type == 'Resize':
            step.scale = (128, 128)
    loaded = record(*cv2.imread(str(path)).shape[:2]) if of_events(cfg) else {}
    return pseudo_collate([Compose(steps)(dict(img_path=str(path), img_id=0, **loaded))])


@detection_and_segmentation
def test_a_prediction_has_the_size_of_the_image_whatever_the_size_it_is_shown_at(path, tmp_path):
    torch.manual_seed(0)
    cfg = load(path)
    height, width = 96, 80
    file = tmp_path / '0.png'
    cv2.imwrite(str(file), np.random.default_rng(0).integers(256, size=(height, width, 3), dtype=np.uint8))
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        batch = shown(cfg, file)
        model = build(cfg).eval()
        if cfg.model.type == 'YOLOX':
            model.bbox_head.init_weights()  # as trained, centres start inside the image
        sides = model.data_preprocessor(deepcopy(batch))['inputs'].shape[-2:]
        assert (cfg.model.type == 'EncoderDecoder' and not time_steps(cfg)) or not any(s % 32 for s in sides), 'padded'
        with torch.no_grad():
            prediction, = model.test_step(batch)
    if cfg.default_scope == 'mmseg':
        assert prediction.pred_sem_seg.shape == (height, width)
        return
    found = prediction.pred_instances
    assert len(found) > 0
    x, y = found.bboxes[:, 0::2], found.bboxes[:, 1::2]
    if cfg.model.type == 'YOLOX':  # does not clip: look at centres. It sees the image padded to 96 x 96 of its pixels
        x, y, width = x.mean(1).round(), y.mean(1).round(), height
    assert min(x.min(), y.min()) >= 0 and x.max() <= width and y.max() <= height
    assert max(x.max() / width, y.max() / height) > 0.75, 'they reach across the image'
    assert not cfg.model.get('roi_head', {}).get('mask_head') or found.masks.shape == (len(found), height, width)


# These two have a norm behind 1 x 1 pixels.
@each([path for path in of('mmdet', 'mmseg') if not re.match('upernet|deeplab', path.stem)])
def test_a_single_image_without_objects_has_finite_losses(path):
    cfg = load(path)
    batch = {key: value[1:] for key, value in BATCHES[cfg.default_scope](cfg).items()}
    MessageHub.get_current_instance().update_info('iter', 0)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        model = build(cfg).train()
        loss, _ = model.parse_losses(model(**model.data_preprocessor(batch, training=True), mode='loss'))
    assert loss.isfinite()


@detection
def test_anchors_and_regions_are_those_of_the_maps(path):
    cfg = load(path)
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = build(cfg).eval()
        with torch.no_grad():
            channels = getattr(model.backbone, 'in_channels', 3)
            levels = model.extract_feat(torch.randn(1, channels, 128, 128))
    sides = [level.shape[-1] for level in levels]
    head = model.rpn_head if 'rpn_head' in cfg.model else model.bbox_head
    strides = [stride for stride, _ in head.prior_generator.strides]
    on_maps = [side * stride for side, stride in zip(sides, strides, strict=True)] == [128] * len(sides)
    if 'roi_head' in cfg.model:
        extractors = cfg.model.roi_head.bbox_roi_extractor, cfg.model.roi_head.mask_roi_extractor
        for regions in (extractor.featmap_strides for extractor in extractors if extractor):
            assert regions == strides[:len(regions)]
    assert on_maps == ('released' not in path.stem), 'the released strides are wrong, and only they'


def holds(value, helper) -> bool:
    """Whether a value is a helper variable, or a dict with more keys than that, as in dict(pipeline=..., **helper)."""
    if isinstance(helper, dict):
        return isinstance(value, dict) and all(key in value and holds(value[key], helper[key]) for key in helper)
    return value == helper


@every_config
def test_every_key_is_read(path):
    cfg = parsed(path)
    known = {'default_scope', 'auto_scale_lr', 'strict_load', 'tta_model', 'tta_pipeline', 'custom_imports'}
    known |= set(inspect.signature(Runner.__init__).parameters)
    if NAME.fullmatch(path.stem)['T'] is None:
        known.add('neuron')  # of the base; the ANN has none
    if 'runner_type' in cfg:
        known |= {'runner_type', *inspect.signature(FlexibleRunner.__init__).parameters}
    helpers = set(cfg) - known  # variables such as train_pipeline
    values = [value for key in set(cfg) & known for _, value in walk(cfg[key])]

    assert [name for name in helpers if not any(holds(value, cfg[name]) for value in values)] == []


@every_config
def test_no_path_is_of_one_machine(path):
    texts = [value for _, value in walk(parsed(path).to_dict()) if isinstance(value, str)]
    assert [text for text in texts if re.match(r'/|~|[A-Za-z]:\\|\.\./', text)] == []


@every_config
def test_the_schedule_ends_with_the_training(path):
    cfg = parsed(path)
    by_epoch = 'max_epochs' in cfg.train_cfg
    ends = [s.end for s in cfg.param_scheduler if s.get('by_epoch', True) == by_epoch]  # a warm-up may count iterations
    assert max(ends) == (cfg.train_cfg.max_epochs if by_epoch else cfg.train_cfg.max_iters)
    for scheduler in cfg.param_scheduler:
        assert 'T_max' not in scheduler or scheduler.T_max == scheduler.end - scheduler.begin


PREFIXES = {  # of the backbone in the name; its preset follows
    'MetaSpikeFormer': 'sdtv2-', 'SpikeDrivenTransformer': 'sdtv1-', 'Spikformer': 'spikformer-',
    'SpikformerV2': 'spikformerv2-', 'MaskedSpikformerV2': 'spikformerv2-', 'SEWResNet': 'sew-resnet',
    'MSResNet': 'ms-resnet', 'AttMSResNet': 'att-ms-resnet', 'EMSResNet': 'ems-resnet'}
ANNS = {'ResNet': 'resnet', 'ResNet_CIFAR': 'resnet', 'ResNetV1c': 'resnet', 'VGG': 'vgg', 'VisionTransformer': 'vit',
        'PyramidVisionTransformer': 'pvt'}
METHODS = {
    None: ('ImageClassifier', 'spikemm.DistilledImageClassifier'), 'mae': ('MAE', ), 'mask-rcnn': ('MaskRCNN', ),
    'faster-rcnn': ('FasterRCNN', ),
    'cascade-mask-rcnn': ('CascadeRCNN', ), 'retinanet': ('RetinaNet', ), 'yolox': ('YOLOX', ),
    'fpn': ('EncoderDecoder', ), 'deeplabv3': ('EncoderDecoder', ), 'upernet': ('EncoderDecoder', )}
NAME = re.compile(
    rf'((?P<method>{"|".join(filter(None, METHODS))})_)?' r'(?P<backbone>[a-z0-9-]+)(_t(?P<T>\d+))?_'
    r'(?P<gpus>\d+)xb(?P<batch>\d+)-(?P<length>\d+)(?P<unit>[xek])(?P<fsdp>-fsdp)?_'
    r'(?P<data>[a-z0-9-]+?)(-(?P<crop>\d+x\d+))?')
DATA = {  # where the config does not have it as it is in the name
    'in1k': 'imagenet', 'ade20k': 'ADE20K', 'voc12': 'VOC2012', 'voc12aug': 'SegmentationClassAug',
    'digit-scenes': 'digit_scenes', 'digit-scenes-events': 'digit_scenes/events', 'cifar10-dvs': 'CIFAR10DVS',
    'dvs128-gesture': 'dvs128_gesture'}


def sizes(cfg: Config) -> Iterator[tuple[int, int]]:
    """Height and width, wherever a config has what its name says."""
    if cfg.default_scope == 'mmseg':
        yield cfg.model.data_preprocessor.size
    for node in cfg.train_pipeline:
        size = node.get('crop_size') or (node.get('size') if node.type == 'spikemm.EventFrames' else None)
        if size:
            yield (size, size) if isinstance(size, int) else tuple(size)


@every_config
def test_the_name_says_what_the_config_does(path):
    cfg = parsed(path)
    name = NAME.fullmatch(path.stem)
    assert name, path.stem
    assert cfg.model.type in METHODS[name['method']]
    backbone = cfg.model.backbone
    kind = backbone.get('ann', backbone).type.split('.')[-1]
    expected = ANNS[kind] if kind in ANNS else f'{PREFIXES[kind]}{preset_of(backbone)}'
    assert name['backbone'].startswith(expected.replace('netnano', 'net-nano'))
    assert (name['T'] and int(name['T'])) == time_steps(cfg)
    assert cfg.train_dataloader.batch_size == int(name['batch'])
    assert cfg.auto_scale_lr.base_batch_size == int(name['gpus']) * int(name['batch'])
    epochs = {'x': 12, 'e': 1}.get(name['unit'])
    trained = cfg.train_cfg.max_epochs if epochs else cfg.train_cfg.max_iters
    assert trained == int(name['length']) * (epochs or 1000)
    assert bool(name['fsdp']) == ('strategy' in cfg)
    assert DATA.get(name['data'], name['data']) in str(cfg.train_dataloader.dataset)
    if name['crop']:
        size = tuple(map(int, name['crop'].split('x')))
        assert {size} == set(sizes(cfg))


@detection_and_segmentation
def test_neck_and_heads_are_stock_ones_where_the_name_says_ann_and_spiking_elsewhere(path):
    model = parsed(path).model
    kinds = [node for keys, node in walk(model) if keys[-1:] == ('type', )]
    parts = [kind for kind in kinds if re.search('FPN|Head|RoIExtractor', kind)]
    stock = '-ann_' in path.stem or NAME.fullmatch(path.stem)['T'] is None
    assert {kind.startswith('spikemm.') for kind in parts} == {not stock}, parts
    neurons = [node for keys, node in walk(model) if keys[-1:] == ('neuron', )]
    # spikes of a backbone fire a neuron of the neck only where it does not halve them
    kinds = {str({key: value for key, value in node.items() if key != 'decay_input'}) for node in neurons}
    assert len(kinds) <= 1, 'one neuron in the whole model'


@detection_and_segmentation
def test_heads_have_the_classes_of_the_data(path):
    cfg = parsed(path)
    counts = {node for keys, node in walk(cfg.model) if keys[-1:] == ('num_classes', )}
    dataset = cfg.val_dataloader.dataset
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        metainfo = dataset.get('metainfo') or DATASETS.get(dataset.type).METAINFO
    assert counts == {len(metainfo['classes'])}


@spiking_classification
def test_the_head_fits_the_backbone(path):
    cfg = load(path)
    with torch.device('meta'):
        model = build(cfg)
    assert cfg.model.head.in_channels == model.backbone.out_channels[-1]
    assert cfg.model.head.num_classes == cfg.data_preprocessor.num_classes


TABLE_1 = {'sdtv2-15m_t1': 15.1, 'sdtv2-15m_t4': 15.1, 'sdtv2-31m_t1': 31.3, 'sdtv2-31m_t4': 31.3, 'sdtv2-55m_t1': 55.4,
           'sdtv2-55m_t4': 55.4}
TABLE_5 = {
    'no-sepconv': 30.9, 'channel-mlp': 25.9, 'stage1-2c-h4': 31.8, 'linear-qkv': 27.2, 'linear-proj': 30.0,
    'sdsa1': 31.3, 'sdsa2': 28.6, 'sdsa4': 31.3, 'vanilla-shortcut': 31.3, 'sew-shortcut': 31.3, 'no-pyramid': 26.9,
    'conv': 36.0, 'transformer': 26.2}
PAPER = TABLE_1 | {f'ablations/sdtv2-31m-{name}_t1': count for name, count in TABLE_5.items()}


@pytest.mark.parametrize('name, millions', PAPER.items())
def test_parameters_are_those_of_the_paper(name, millions):
    setting = '8xb24-50e' if name.endswith('t4') else '8xb128-200e'
    assert parameters(load(MODEL_ZOO / f'{name}_{setting}_in1k.py')) == pytest.approx(millions, abs=0.1)


def test_parameters_for_har_dvs_are_those_of_table_2():
    cfg = load(MODEL_ZOO / 'sdtv2-18m_t8_3xb24-100e_hardvs-224x224.py')
    assert parameters(cfg) == pytest.approx(18.263, abs=5e-4)
    assert [*build(cfg).backbone.arch.depths] == [1, 1, 2, 4, 2]


TABLES_3_AND_4 = {
    'mask_rcnn/mask-rcnn_sdtv2-15m_t1_8xb2-1x_coco': 34.9, 'mask_rcnn/mask-rcnn_sdtv2-55m_t1_8xb2-1x_coco': 75.0,
    'semantic_fpn/fpn_sdtv2-15m_t1_8xb2-160k_ade20k-512x512': 16.5,
    'semantic_fpn/fpn_sdtv2-15m_t4_8xb2-160k_ade20k-512x512': 16.5,
    'semantic_fpn/fpn_sdtv2-55m_t1_8xb2-160k_ade20k-512x512': 58.9,
    'semantic_fpn/fpn_sdtv2-55m_t4_8xb2-80k_ade20k-512x512': 58.9}


@pytest.mark.parametrize('name, millions', TABLES_3_AND_4.items())
def test_parameters_of_detectors_and_segmentors_are_those_of_the_paper(name, millions):
    assert parameters(parsed(ROOT / f'configs/{name}.py')) == pytest.approx(millions, abs=0.1)


@each([path for path in CONFIGS if parsed(path).get('load_from')])
def test_a_fine_tuning_starts_from_the_last_checkpoint_of_another_config(path):
    cfg = parsed(path)
    folder, run, file = Path(cfg.load_from).parts
    source, = (parsed(other) for other in CONFIGS if other.stem == run)
    last = source.train_cfg.get('max_epochs') or source.train_cfg.max_iters
    assert (folder, file) == ('work_dirs', f'{"epoch" if "max_epochs" in source.train_cfg else "iter"}_{last}.pth')
    assert last % source.default_hooks.checkpoint.interval == 0, 'it is written'
    with torch.device('meta'):
        shapes = [{key: value.shape for key, value in build(c).state_dict().items()} for c in (cfg, source)]
    assert shapes[0] == shapes[1] or not cfg.get('strict_load', True)


@each([path for path in of('mmseg') if 'custom_keys' in parsed(path).optim_wrapper.get('paramwise_cfg', {})])
def test_exactly_the_named_parts_learn_faster(path):
    cfg = load(path)
    adapt_optim_wrapper(cfg)
    with DefaultScope.overwrite_default_scope('mmseg'):
        optim_wrapper = build_optim_wrapper(model := build(cfg), cfg.optim_wrapper.copy())
    keys = cfg.optim_wrapper.paramwise_cfg.custom_keys
    base, names = cfg.optim_wrapper.optimizer.lr, {id(p): name for name, p in model.named_parameters()}
    for group in optim_wrapper.optimizer.param_groups:
        part = names[id(group['params'][0])].split('.')[0]
        assert group['lr'] == pytest.approx(base * keys.get(part, {}).get('lr_mult', 1.0))


def test_anchors_are_32_to_512_pixels_one_size_a_level():
    cfg = parsed(ROOT / 'configs/mask_rcnn/mask-rcnn_sdtv2-15m_t1_8xb2-1x_coco.py')
    with DefaultScope.overwrite_default_scope('mmdet'):
        anchors = TASK_UTILS.build(cfg.model.rpn_head.anchor_generator).base_anchors
    areas = [((level[:, 2:] - level[:, :2]).prod(1)).sqrt() for level in anchors]
    torch.testing.assert_close(torch.stack(areas), torch.tensor([[32.], [64.], [128.], [256.], [512.]]).expand(5, 3))


def test_every_ablation_is_in_table_5():
    assert len(list((MODEL_ZOO / 'ablations').glob('*.py'))) == len(TABLE_5)


def test_the_neuron_is_swapped_in_a_leaf_as_the_base_says(tmp_path):
    base = ROOT / 'configs/_base_/models/meta_spikeformer.py'
    lines = [line[2:] for line in base.read_text().splitlines() if line.startswith('#     ')]
    leaf = tmp_path / 'leaf.py'
    leaf.write_text(f'_base_ = {str(base)!r}\ndefault_scope = "mmpretrain"\n' + inspect.cleandoc('\n'.join(lines)))
    kinds = {type(m).__name__ for m in build(Config.fromfile(leaf)).modules() if isinstance(m, BaseNode)}
    assert kinds == {'PLIF'}


def test_the_fine_tuning_to_four_time_steps_reaches_its_full_rate_after_five_epochs_of_imagenet():
    cfg = Config.fromfile(ROOT / 'configs/_base_/schedules/imagenet_bs192_lamb_sdtv2-t4.py')
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=cfg.optim_wrapper.optimizer.lr)
    args = dict(optimizer=optimizer, epoch_length=6672)
    schedulers = [PARAM_SCHEDULERS.build(dict(scheduler), default_args=args) for scheduler in cfg.param_scheduler]
    optimizer.step()
    rates = [optimizer.param_groups[0]['lr']]
    for _ in range(5 * 6672):
        for scheduler in schedulers:
            scheduler.step()
        rates.append(optimizer.param_groups[0]['lr'])
    assert rates[0] == pytest.approx(0, abs=1e-12)
    assert rates[-1] == max(rates) == pytest.approx(1.5e-5, rel=1e-6)


DATASET_BASES = {path.stem: path for path in sorted((ROOT / 'configs/_base_/datasets').glob('*.py'))}


@pytest.fixture(scope='module')
def image_folder(tmp_path_factory) -> Path:
    """Two images, larger than 224 pixels for ImageNet, in a folder of either layout: {split}/{class}, and annotated."""
    root = tmp_path_factory.mktemp('images')
    rng = np.random.default_rng(0)
    for split in ('train', 'val'):
        for label in range(10):
            (root / split / str(label)).mkdir(parents=True)
            size = (32, 32, 3) if label else (260, 300, 3)
            cv2.imwrite(str(root / split / str(label) / '0.png'), rng.integers(256, size=size, dtype=np.uint8))
        (root / 'meta').mkdir(exist_ok=True)
        (root / 'meta' / f'{split}.txt').write_text('0/0.png 7\n')
    return root


def preprocessed(cfg: Config, samples: list[dict], training: bool) -> Tensor:
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        processor = MODELS.build({'type': 'ClsDataPreprocessor', **cfg.data_preprocessor})
    return processor(pseudo_collate(samples), training=training)['inputs']


IMAGE_BASES = {path: 224 for path in DATASET_BASES if path.startswith('imagenet') and not path.endswith('mae')}
IMAGE_BASES['digit_scenes_cls'] = 32
CIFAR_BASES = [name for name in DATASET_BASES if re.match('cifar10+(?!_dvs)', name)]
UNLABELLED_BASES = {'imagenet_bs256_mae': 224, 'digit_scenes_mae': 32}


@pytest.mark.parametrize('split', ['train', 'val'])
@pytest.mark.parametrize('name, size', IMAGE_BASES.items())
def test_image_folders_become_batches(image_folder, name, size, split):
    cfg = Config.fromfile(DATASET_BASES[name])
    dataset = cfg[f'{split}_dataloader'].dataset
    dataset.data_root = str(image_folder)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        data = DATASETS.build(dataset)
        sample = data[0] if size == 224 else data[3]
    assert sample['data_samples'].gt_label == (7 if size == 224 else 3)
    batch = preprocessed(cfg, [sample, sample], split == 'train')
    assert batch.shape == (2, 3, size, size)
    assert batch.isfinite().all() and batch.std() > 0.1


@pytest.mark.parametrize('name, size', UNLABELLED_BASES.items())
def test_images_of_a_pre_training_become_batches(image_folder, name, size):
    cfg = Config.fromfile(DATASET_BASES[name])
    dataset = cfg.train_dataloader.dataset
    dataset.data_root = str(image_folder)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        data = DATASETS.build(dataset)
        samples = [data[i] for i in (0, 0) if size == 224] or [data[3], data[4]]
        batch = MODELS.build(cfg.data_preprocessor)(default_collate(samples), training=True)['inputs']
    assert batch.shape == (2, 3, size, size)
    assert batch.isfinite().all() and batch.std() > 0.1


@pytest.mark.parametrize('split', ['train', 'val'])
@pytest.mark.parametrize('name', CIFAR_BASES)
def test_cifar_becomes_a_batch(name, split):
    cfg = Config.fromfile(DATASET_BASES[name])
    image = np.random.default_rng(0).integers(256, size=(32, 32, 3), dtype=np.uint8)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        sample = Compose(cfg[f'{split}_dataloader'].dataset.pipeline)(dict(img=image, gt_label=3))
    batch = preprocessed(cfg, [sample, sample], split == 'train')
    assert batch.shape == (2, 3, 32, 32)
    if split == 'val':
        mean, std = (torch.tensor(cfg.data_preprocessor[key]).view(3, 1, 1) for key in ('mean', 'std'))
        torch.testing.assert_close(batch[0], (torch.from_numpy(image).permute(2, 0, 1) - mean) / std)


EVENT_BASES = {  # sensor, and the clip that a model gets: [T, H, W]
    'hardvs_events': ((260, 346), (8, 224, 224)), 'dvs128_gesture': ((128, 128), (16, 128, 128)),
    'cifar10_dvs': ((128, 128), (10, 64, 64)), 'nmnist': ((34, 34), (10, 32, 32)),
    'cifar10_dvs_bs16_spikformer': ((128, 128), (16, 128, 128)),
    'ncaltech101': ((180, 240), (10, 96, 128)), 'digit_scenes_events': ((32, 32), (4, 32, 32))}


@pytest.mark.parametrize('split', ['train', 'val', 'test'])
@pytest.mark.parametrize('name, sensor, clip', [(name, *sizes) for name, sizes in EVENT_BASES.items()])
def test_recordings_become_clips(name, sensor, clip, split):
    cfg = Config.fromfile(DATASET_BASES[name])
    T, height, width = clip
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        sample = Compose(cfg[f'{split}_dataloader'].dataset.pipeline)(dict(gt_label=3, **record(*sensor)))
    batch = preprocessed(cfg, [sample, sample], split == 'train')
    assert batch.shape == (T, 2, 2, height, width)
    assert (batch.sum((3, 4)) > 100).all(), 'events in every step and of either polarity'


@pytest.mark.parametrize('split', ['train', 'val', 'test'])
def test_event_images_become_clips(tmp_path, split):
    cfg = Config.fromfile(DATASET_BASES['hardvs_frames'])
    grey = np.random.default_rng(0).integers(256, size=(260, 346), dtype=np.uint8)
    for i in range(9):
        cv2.imwrite(str(tmp_path / f'{i}.png'), grey)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        pipeline = Compose(cfg[f'{split}_dataloader'].dataset.pipeline)
        sample = pipeline(dict(frame_dir=str(tmp_path), gt_label=3))
    batch = preprocessed(cfg, [sample], split == 'train')
    assert batch.shape == (8, 1, 2, 224, 224)
    assert batch.unique().tolist() == [0, 1] and (batch == batch[0]).all()
    assert (batch.mean((3, 4)) > 0.05).all(), 'events in every step and of either polarity'


def write_scenes(root: Path, dataset: ConfigDict, height: int, width: int) -> None:
    """Images of noise in the layout that a dataset config of mmdet or mmseg describes, and what is in them."""
    rng = np.random.default_rng(0)
    dataset.data_root = str(root)
    cls = DATASETS.get(dataset.type)
    names = (dataset.get('metainfo') or cls.METAINFO)['classes']
    prefixes = {key: root / folder for key, folder in dataset.data_prefix.items()}
    for folder in prefixes.values():
        folder.mkdir(parents=True, exist_ok=True)
    image = rng.integers(256, size=(height, width, 3), dtype=np.uint8)
    for i in range(2):
        cv2.imwrite(str(next(iter(prefixes.values())) / f'{i}.jpg'), image)
        if 'seg_map_path' in prefixes:
            first = dataset.get('reduce_zero_label', 'ADE20K' in dataset.type)
            labels = rng.integers(first, len(names) + first, size=(height, width), dtype=np.uint8)
            cv2.imwrite(str(prefixes['seg_map_path'] / f'{i}.png'), labels)
    if 'ann_file' in dataset:
        file = root / dataset.ann_file
        file.parent.mkdir(parents=True, exist_ok=True)
        outline = [10, 20, 70, 20, 70, 70, 10, 70]
        box = dict(category_id=0, bbox=[10, 20, 60, 50], area=3000, iscrowd=0, segmentation=[outline])
        coco = dict(
            images=[dict(id=i, file_name=f'{i}.jpg', height=height, width=width) for i in range(2)],
            categories=[dict(id=i, name=name) for i, name in enumerate(names)],
            annotations=[dict(id=i, image_id=i, **box) for i in range(2)])
        file.write_text(json.dumps(coco) if file.suffix == '.json' else '0\n1\n')


def write_drive(root: Path, dataset: ConfigDict) -> None:
    """A recording with a box behind its first half, as GEN1 has them."""
    dataset.data_root = str(root)
    folder = root / dataset.data_prefix.events
    folder.mkdir()
    write_dat(folder / 'a_td.dat', record(*dataset.sensor_size)['events'])
    box = dict(t=600_000, x=20, y=30, w=60, h=50, class_id=0, confidence=1, track_id=0)
    np.save(folder / 'a_bbox.npy', np.array([tuple(box.values())], [(name, 'i8') for name in box]))


def datasets(dataset: ConfigDict) -> list[ConfigDict]:
    """The datasets inside of wrappers."""
    inner = dataset.get('datasets') or ([dataset.dataset] if 'dataset' in dataset else [])
    return [leaf for one in inner for leaf in datasets(one)] or [dataset]


SCENES = {  # one config for each dataset
    str(parsed(path)[f'{split}_dataloader'].dataset): (path, split)
    for path in of('mmdet', 'mmseg') for split in ('train', 'val', 'test')}


@pytest.mark.parametrize('path, split', SCENES.values(), ids=lambda value: getattr(value, 'stem', value))
def test_scenes_become_what_the_model_takes(tmp_path, path, split):
    cfg = complete(path)
    dataset, training = cfg[f'{split}_dataloader'].dataset, split == 'train'
    MessageHub.get_current_instance().update_info('iter', 0)
    as_shown = cfg.default_scope == 'mmseg' and not any(step.type == 'RandomCrop' for step in cfg.train_pipeline)
    shape = cfg.model.data_preprocessor.size if as_shown else (100, 120)  # of the files
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        for one in datasets(dataset):
            if of_events(cfg):
                shape = one.sensor_size
                write_drive(tmp_path, one)
            else:
                write_scenes(tmp_path, one, *shape)
        sample = DATASETS.build(dataset)[0]
        batch = MODELS.build(cfg.model.data_preprocessor)(pseudo_collate([sample, sample]), training=training)
    image, truth = batch['inputs'], batch['data_samples'][0]
    assert image.shape[-4] == 2 and image.isfinite().all() and 0 < image.abs().mean() < 10
    assert not any(side % 32 for side in image.shape[-2:])
    size = tuple(image.shape[-2:]) if training else shape
    if cfg.default_scope == 'mmseg':
        assert truth.gt_sem_seg.shape == size
        labels = set(truth.gt_sem_seg.data.unique().tolist()) - {cfg.model.data_preprocessor.seg_pad_val}
        assert labels and max(labels) < cfg.model.decode_head.num_classes
    elif training:
        boxes, (height, width) = truth.gt_instances.bboxes, truth.batch_input_shape
        assert image.shape[-2:] == (height, width)
        assert not len(boxes) or (boxes.min() >= 0 and boxes.max() <= max(height, width))
        assert 'masks' not in truth.gt_instances or truth.gt_instances.masks.masks.shape[1:] == (height, width)
    else:
        assert truth.ori_shape == size and len(truth.gt_instances) == 1


@pytest.mark.parametrize('base', sorted((ROOT / 'configs/_base_').rglob('*.py')), ids=lambda path: path.stem)
def test_every_base_is_used(base):
    texts = [path.read_text() for path in (ROOT / 'configs').rglob('*.py') if path != base]
    assert any(re.search(rf'[/\']{re.escape(base.name)}\b', text) for text in texts)


def test_every_dataset_of_classification_is_tested():
    texts = ''.join(path.read_text() for path in of('mmpretrain'))
    used = {name for name in DATASET_BASES if f'datasets/{name}.py' in texts}
    assert used == {*IMAGE_BASES, *CIFAR_BASES, *EVENT_BASES, 'hardvs_frames', *UNLABELLED_BASES}


def test_random_erasing_and_rand_augment_are_of_timm_rand_m9_mstd05_inc1():
    cfg = Config.fromfile(DATASET_BASES['imagenet_bs128_sdtv2'])
    steps = {step.type: step for step in cfg.train_pipeline}
    bgr = [103.53, 116.28, 123.675]
    assert steps['RandAugment'].hparams.pad_val == [round(x) for x in bgr]
    assert steps['RandomErasing'].fill_color == bgr  # images are BGR there
    assert not any('augments' in str(keys) for keys, _ in walk(cfg.to_dict()))  # neither mixup nor cutmix


@pytest.mark.parametrize('metafile', yaml.safe_load((ROOT / 'model-index.yml').read_text())['Import'])
def test_the_model_zoo_lists_every_config(metafile):
    models = yaml.safe_load((ROOT / metafile).read_text())['Models']
    listed = {ROOT / model['Config'] for model in models}
    assert listed == set((ROOT / metafile).parent.rglob('*.py'))
    for model in models:
        assert Path(model['Config']).stem == model['Name']
        counted = parameters(complete(ROOT / model['Config']))
        assert model['Metadata']['Parameters'] == round(counted * 1e6), model['Name']


@pytest.mark.parametrize('readme', sorted((ROOT / 'configs').rglob('README.md')), ids=lambda path: path.parent.name)
def test_links_of_a_readme_lead_somewhere(readme):
    links = re.findall(r'\]\((?!https?://|#)([^)#]+)', readme.read_text())
    assert links
    assert [link for link in links if not (readme.parent / link).exists()] == []
