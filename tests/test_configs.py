"""Every config builds its model, learns a step and predicts; its name, schedule and paths hold; Table 5 is met."""

import inspect
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import yaml
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.model import BaseModel
from mmengine.optim import build_optim_wrapper
from mmengine.registry import PARAM_SCHEDULERS, DefaultScope
from mmengine.runner import FlexibleRunner, Runner
from mmpretrain.registry import DATASETS, MODELS
from mmpretrain.structures import DataSample
from spikingjelly.activation_based.neuron import BaseNode
from torch import Tensor, nn

import spikemm.datasets.transforms  # noqa: F401  (mmpretrain's transforms, for Compose)
from spikemm.engine.cpu import adapt_optim_wrapper

ROOT = Path(__file__).parents[1]
CONFIGS = sorted(path for path in (ROOT / 'configs').rglob('*.py') if '_base_' not in path.parts)
MODEL_ZOO = ROOT / 'configs/meta_spikeformer'
every_config = pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
classification = pytest.mark.parametrize('path', sorted(MODEL_ZOO.rglob('*.py')), ids=lambda path: path.stem)


@cache
def parsed(path: Path) -> Config:
    return Config.fromfile(path)


def load(path: Path) -> Config:
    """Read a config and complete the model as a Runner does, without downloading anything."""
    cfg = parsed(path).copy()
    if 'data_preprocessor' in cfg:
        cfg.model.setdefault('data_preprocessor', cfg.data_preprocessor)
    if 'teacher' in cfg.model:
        cfg.model.teacher.pretrained = False
    return cfg


def build(cfg: Config) -> BaseModel:
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        return MODELS.build(cfg.model)


def parameters(cfg: Config) -> float:
    """Number of parameters, in millions."""
    with torch.device('meta'):
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


def images(cfg: Config) -> dict:
    """A batch for a classifier, in the size that its pipeline crops or 64 pixels."""
    size = min(64, *(step.get('crop_size', 64) for step in cfg.train_pipeline))
    classes = cfg.model.head.num_classes
    inputs = torch.randint(256, (2, 3, size, size), dtype=torch.uint8)
    return dict(inputs=inputs, data_samples=[DataSample().set_gt_label(i * (classes - 1)) for i in range(2)])


BATCHES: dict[str, Callable[[Config], dict]] = {'mmpretrain': images}


def count_spikes(model: nn.Module) -> list[Tensor]:
    """Let every neuron note how many spikes it fires."""
    counts = []
    for module in model.modules():
        if isinstance(module, BaseNode):
            module.register_forward_hook(lambda module, args, spikes: counts.append(spikes.detach().sum()))
    return counts


@every_config
def test_a_training_step_and_a_prediction(path):
    torch.manual_seed(0)
    cfg = load(path)
    adapt_optim_wrapper(cfg)
    batch = BATCHES[cfg.default_scope](cfg)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        model = build(cfg).train()
        optim_wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
        counts = count_spikes(model)
        with optim_wrapper.optim_context(model):
            losses = model(**model.data_preprocessor(batch, training=True), mode='loss')
        loss, _ = model.parse_losses(losses)
        assert loss.isfinite()
        assert len(counts) > 0 and sum(counts) > 0, 'a silent network proves nothing'
        optim_wrapper.backward(loss)
        dead = [name for name, p in model.named_parameters() if p.requires_grad and p.grad is None]
        assert not dead
        assert all(p.grad.isfinite().all() for p in model.parameters() if p.requires_grad)
        first = next(p for p in model.backbone.parameters() if p.requires_grad)
        assert first.grad.abs().sum() > 0, 'no gradient arrives at the image'
        optim_wrapper.step()
        assert all(p.isfinite().all() for p in model.parameters())
        predictions = model.eval().test_step(batch)
    assert len(predictions) == 2


@every_config
def test_every_key_is_read(path):
    cfg = parsed(path)
    known = {'default_scope', 'auto_scale_lr', 'strict_load', 'tta_model', 'tta_pipeline', 'custom_imports'}
    known |= set(inspect.signature(Runner.__init__).parameters)
    if 'runner_type' in cfg:
        known |= {'runner_type', *inspect.signature(FlexibleRunner.__init__).parameters}
    helpers = set(cfg) - known  # variables such as train_pipeline
    values = [value for key in set(cfg) & known for _, value in walk(cfg[key])]

    def is_used(helper) -> bool:
        if isinstance(helper, dict):  # whole, or with more keys as in dict(pipeline=..., **helper)
            return any(isinstance(value, dict) and helper.items() <= value.items() for value in values)
        return any(value == helper for value in values)

    assert [name for name in helpers if not is_used(cfg[name])] == []


@every_config
def test_no_path_is_of_one_machine(path):
    texts = [value for _, value in walk(parsed(path).to_dict()) if isinstance(value, str)]
    assert [text for text in texts if re.match(r'/|~|[A-Za-z]:\\|\.\./', text)] == []


@every_config
def test_the_schedule_ends_with_the_training(path):
    cfg = parsed(path)
    assert max(s.end for s in cfg.param_scheduler) == cfg.train_cfg.get('max_epochs', cfg.train_cfg.get('max_iters'))
    for scheduler in cfg.param_scheduler:
        assert 'T_max' not in scheduler or scheduler.T_max == scheduler.end - scheduler.begin


@classification
def test_the_name_says_what_the_config_does(path):
    cfg = parsed(path)
    name = re.fullmatch(r'sdtv2-([\w-]+)_t(\d+)_(\d+)xb(\d+)-(\d+)e(-fsdp)?_([\w-]+)', path.stem)
    assert name, path.stem
    variant, T, gpus, batch, epochs, fsdp, _ = name.groups()
    assert cfg.model.backbone.arch.preset == variant.split('-')[0]
    assert int(T) == cfg.model.backbone.T
    assert int(batch) == cfg.train_dataloader.batch_size
    assert int(gpus) * int(batch) == cfg.auto_scale_lr.base_batch_size
    assert int(epochs) == cfg.train_cfg.max_epochs
    assert bool(fsdp) == ('strategy' in cfg)


@classification
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
        processor = MODELS.build(dict(type='ClsDataPreprocessor', **cfg.data_preprocessor))
    return processor(pseudo_collate(samples), training=training)['inputs']


@pytest.mark.parametrize('split', ['train', 'val'])
@pytest.mark.parametrize('name, size', [('imagenet_bs128_sdtv2', 224), ('digit_scenes_cls', 32)])
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


@pytest.mark.parametrize('split', ['train', 'val'])
@pytest.mark.parametrize('name', ['cifar10', 'cifar100'])
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


def test_every_dataset_is_tested():
    assert set(DATASET_BASES) == {'imagenet_bs128_sdtv2', 'digit_scenes_cls', 'cifar10', 'cifar100'}


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
        counted = parameters(load(ROOT / model['Config']))
        assert model['Metadata']['Parameters'] == round(counted * 1e6), model['Name']


@pytest.mark.parametrize('readme', sorted((ROOT / 'configs').rglob('README.md')), ids=lambda path: path.parent.name)
def test_links_of_a_readme_lead_somewhere(readme):
    links = re.findall(r'\]\((?!https?://|#)([^)#]+)', readme.read_text())
    assert links
    assert [link for link in links if not (readme.parent / link).exists()] == []
