"""The energy of a config's model, on its test data or on random inputs."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.device import get_device
from mmengine.model import BaseModel
from mmengine.registry import DATASETS, DefaultScope
from mmengine.runner import CheckpointLoader

from spikemm.analysis.inputs import build_model, config_shape, random_batch
from spikemm.analysis.measure import describe_checkpoint, measure
from spikemm.analysis.report import EnergyReport
from spikemm.apis.inferencers.base import batches
from spikemm.engine.hooks.strict_load_hook import find_misfits


def measure_config(
    cfg: Config,
    checkpoint: str | None = None,
    *,
    num_samples: int = 64,
    random: bool = False,
    shape: tuple[int, ...] | None = None,
    device: str | None = None,
    memory: bool = False,
    **settings: Any,
) -> EnergyReport:
    """Count what the model of a config computes on its test data, audit it and price it.

    The batches are those of the config's ``test_dataloader`` for classification, and single samples for detection and
    segmentation, so that the spread over images includes regions of interest.

    Args:
        cfg: The config.
        checkpoint: Checkpoint file or URL that must fit the model, unless the config has ``strict_load=False``. Without
            one the weights are untrained, which the report says: firing rates then mean nothing.
        num_samples: How many samples are counted, evenly spread over the data.
        random: Count random inputs, which needs no data; the report says so.
        shape: Of a random input, ``[C, H, W]`` or ``[T, C, H, W]``; None is what the config's pipelines make.
        device: Device such as 'cpu' or 'cuda:0'; None takes the GPU if there is one.
        memory: Whether to use SpikingJelly's models of memory traffic, too, which take single samples.
        **settings: Arguments of :func:`spikemm.analysis.measure.measure`.

    Raises:
        FileNotFoundError: The data does not exist.
        RuntimeError: The checkpoint does not fit the model.
        ValueError: The config has no test data, or an argument does not fit.
    """
    if num_samples < 1:
        raise ValueError(f'num_samples must be at least 1, but got {num_samples!r}.')
    scope = cfg.get('default_scope', 'mmpretrain')
    with DefaultScope.overwrite_default_scope(scope):
        model = build_model(cfg)
        size = 1 if memory or scope in ('mmdet', 'mmseg') else loader_of(cfg).get('batch_size', 1)
        if random:
            shape = shape or config_shape(cfg)
            data = f'random inputs of {" x ".join(map(str, shape))}'
            found = (random_batch(scope, shape, min(size, num_samples - i), i) for i in range(0, num_samples, size))
        else:
            data, found = test_batches(cfg, num_samples, size)
        source = {'config': str(cfg.filename), 'checkpoint': load(model, checkpoint, cfg.get('strict_load', True))}
        return measure(
            model.to(device or get_device()), found, source={**source, 'data': data}, random=random,
            title=Path(cfg.filename).stem, memory=memory, **settings)


def loader_of(cfg: Config) -> dict:
    return cfg.get('test_dataloader') or {}


def test_batches(cfg: Config, number: int, size: int) -> tuple[str, Iterator[dict]]:
    """Name the test data of a config, and return samples of it, evenly spread, in batches of one shape each."""
    if 'dataset' not in loader_of(cfg):
        raise ValueError(f'test_dataloader must have a dataset in {cfg.filename}, or inputs be random (--random).')
    dataset = DATASETS.build(cfg.test_dataloader.dataset)
    chosen = spread(len(dataset), number)
    name = f'{type(dataset).__name__}, {len(chosen)} of {len(dataset)} test samples'
    return name, map(pseudo_collate, batches((dataset[i] for i in chosen), size))


def spread(length: int, number: int) -> list[int]:
    """Choose indices at equal distances, from the first to the last: test data is often sorted by class."""
    return np.linspace(0, length - 1, min(number, length)).round().astype(int).tolist()


def load(model: BaseModel, checkpoint: str | None, strict: bool) -> str:
    """Load a checkpoint and describe it."""
    if checkpoint is not None:
        content = CheckpointLoader.load_checkpoint(checkpoint, map_location='cpu')
        misfits = find_misfits(model, content.get('state_dict', content))
        if misfits and strict:
            folded = (content.get('meta') or {}).get('reparameterized')
            remedy = ' It is folded: take the config that reparameterize.py wrote beside it.' if folded else ''
            raise RuntimeError(f'{checkpoint} does not fit the model of the config: {"; ".join(misfits)}.{remedy}')
    return describe_checkpoint(checkpoint)

