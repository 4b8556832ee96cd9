"""Models of configs and random inputs for them, where an analysis needs no data."""

import torch
from mmengine.config import Config, ConfigDict
from mmengine.dataset import default_collate, pseudo_collate
from mmengine.model import BaseModel, revert_sync_batchnorm
from mmengine.registry import DATASETS

from spikemm.registry import MODELS


def build_model(cfg: Config) -> BaseModel:
    """Build the model of a config, in evaluation mode; the default scope must be that of the config.

    Raises:
        ValueError: The config has no model.
    """
    if 'model' not in cfg:
        raise ValueError(f'config must have a model, but {cfg.filename} has none.')
    model_cfg = ConfigDict(cfg.model)
    if 'data_preprocessor' in cfg:  # where mmpretrain has it
        model_cfg.setdefault('data_preprocessor', cfg.data_preprocessor)
    return revert_sync_batchnorm(MODELS.build(model_cfg)).eval()


def input_shape(sizes: list[int]) -> tuple[int, ...]:
    """Complete ``S``, ``H W``, ``C H W`` or ``T C H W``."""
    if len(sizes) > 4 or min(sizes) < 1:
        raise ValueError(f'shape must be S, H W, C H W or T C H W, but got {sizes}.')
    if len(sizes) == 1:
        sizes = sizes * 2
    return tuple([3, *sizes] if len(sizes) == 2 else sizes)


def config_shape(cfg: Config) -> tuple[int, ...]:
    """Shape ``[C, H, W]`` or ``[T, C, H, W]`` of what a config's test pipeline makes, as far as the config says.

    Of segmentation it is the ``size`` of the data preprocessor, the crop of the training, since test images have many
    sizes; of classification without any size in the test pipeline that of the training.

    Raises:
        ValueError: The config names no size.
    """
    dataset = innermost(cfg.get('test_dataloader'))
    size, T = _sensor(dataset), None
    steps = dataset.get('pipeline', [])
    if not any(_size_of(step) for step in steps):
        steps = [*innermost(cfg.get('train_dataloader')).get('pipeline', []), *steps]
    for step in steps:
        size, T = _size_of(step) or size, step.get('T') or T
    preprocessor = cfg.model.get('data_preprocessor') or cfg.get('data_preprocessor') or {}
    size = preprocessor.get('size') or size
    if size is None:
        raise ValueError(f'shape must be given for random inputs: the pipelines of {cfg.filename} name no size.')
    channels = cfg.model.get('backbone', {}).get('in_channels', 3)
    return (T, channels, *size) if T else (channels, *size)


def innermost(loader: dict | None) -> dict:
    """Return the dataset that a data loader's config wraps, or nothing."""
    dataset = (loader or {}).get('dataset') or {}
    while 'dataset' in dataset or 'datasets' in dataset:
        dataset = dataset.get('dataset') or dataset['datasets'][0]
    return dataset


def _sensor(dataset: dict) -> tuple[int, int] | None:
    """Height and width of the event camera."""
    if 'sensor_size' in dataset or 'type' not in dataset:
        return dataset.get('sensor_size')
    with DATASETS.switch_scope_and_registry(None) as scoped:
        return getattr(scoped.get(dataset['type']), 'SENSOR_SIZE', None)


def _size_of(step: dict) -> tuple[int, int] | None:
    """Height and width of the images that a transform makes, where it says so."""
    name = step['type'].rpartition('.')[2]
    if name in ('CenterCrop', 'RandomCrop'):
        size = step.get('crop_size')
    elif name in ('Resize', 'RandomResizedCrop'):
        size = step.get('scale')
        size = size if size is None or isinstance(size, int) else tuple(size)[::-1]  # width and height
    else:
        size = step.get('size') if name == 'EventFrames' else None
    return (size, size) if isinstance(size, int) else size


def random_batch(scope: str, shape: tuple[int, ...], number: int = 1, seed: int = 0) -> dict:
    """Return a batch of random samples as a data loader collates it.

    Args:
        scope: The config's ``default_scope``, a task library.
        shape: Of a sample: ``[C, H, W]``, an image of uniform noise, or ``[T, C, H, W]``, a clip in whose pixels there
            is an event or none.
        number: Samples.
        seed: Of the random numbers.
    """
    generator = torch.Generator().manual_seed(seed)
    high = 256 if len(shape) == 3 else 2
    collate = default_collate if scope == 'mmpretrain' else pseudo_collate  # as their data loaders do
    return collate([
        {'inputs': torch.randint(0, high, shape, dtype=torch.uint8, generator=generator),
         'data_samples': data_sample(scope, shape)} for _ in range(number)])


def data_sample(scope: str, shape: tuple[int, ...]):
    """Return the sample that goes with an image; heads of detectors read its sizes."""
    if scope == 'mmdet':
        from mmdet.structures import DetDataSample as Sample
    elif scope == 'mmseg':
        from mmseg.structures import SegDataSample as Sample
    else:
        from mmpretrain.structures import DataSample as Sample
    size = shape[-2:]
    return Sample(metainfo={'img_shape': size, 'ori_shape': size, 'pad_shape': size, 'scale_factor': (1.0, 1.0)})
