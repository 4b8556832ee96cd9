"""Predict images and event recordings with a trained model: the config tells which inferencer."""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from mmengine.config import Config

from spikemm.apis.inferencers.base import Image, Inferencer

if TYPE_CHECKING:
    from spikemm.apis.inferencers.classification import ClassificationInferencer
    from spikemm.apis.inferencers.events import EventInferencer

INFERENCERS = {
    'mmpretrain': 'classification.ClassificationInferencer',
    'mmdet': 'detection.DetectionInferencer',
    'mmseg': 'segmentation.SegmentationInferencer',
}
"""By the ``default_scope`` of a config; imported when needed, with the library. Each class takes a config, a checkpoint
and a device; it is called with images, and ``describe`` and ``draw`` show what it predicts."""

EVENTS = 'spikemm.EventDataPreprocessor'
"""The ``data_preprocessor`` of a config that classifies recordings: :class:`events.EventInferencer`."""


def init_inferencer(
    config: str | Path, checkpoint: str | Path, device: str | None = None,
) -> 'ClassificationInferencer | EventInferencer | Inferencer':
    """Load a trained model for predictions; the ``default_scope`` of the config decides the inferencer, and for
    recordings its ``data_preprocessor``.

    Args:
        config: Config file.
        checkpoint: Checkpoint file or URL. It must fit the model exactly.
        device: Device such as 'cpu' or 'cuda:0'; None takes the GPU if there is one.

    Raises:
        FileNotFoundError: The config or the checkpoint does not exist.
        RuntimeError: The checkpoint does not fit the model.
        ValueError: There is no inferencer for the task of the config, or no such device.
    """
    for name, path in (('config', str(config)), ('checkpoint', str(checkpoint))):
        if '://' not in path and not Path(path).is_file():
            raise FileNotFoundError(f'The {name} {path!r} does not exist.')
    if str(device).startswith('cuda') and not torch.cuda.is_available():
        raise ValueError(f'device must be one that this machine has, but got {device!r}; there is no usable GPU.')
    cfg = Config.fromfile(config)
    scope = cfg.get('default_scope')
    if scope not in INFERENCERS:
        raise ValueError(f'default_scope must be one of {list(INFERENCERS)}, but got {scope!r} in {config}.')
    module, name = INFERENCERS[scope].split('.')
    preprocessor = cfg.model.get('data_preprocessor') or cfg.get('data_preprocessor') or {}
    if preprocessor.get('type') == EVENTS:
        module, name = 'events', 'EventInferencer'
    return getattr(import_module(f'{__name__}.{module}'), name)(cfg, str(checkpoint), device)
