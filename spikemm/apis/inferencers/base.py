"""What the inferencers of all tasks share: a model with its checkpoint, images that are read or named, batches."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from mmcv.image import imread
from mmcv.transforms import LoadAnnotations, LoadImageFromFile
from mmengine.config import Config, ConfigDict
from mmengine.dataset import Compose, pseudo_collate
from mmengine.device import get_device
from mmengine.model import BaseModel
from mmengine.registry import DATASETS, MODELS, TRANSFORMS, DefaultScope, Registry
from mmengine.runner import CheckpointLoader
from mmengine.structures import BaseDataElement

from spikemm.datasets.transforms.load_image import find_misfit
from spikemm.engine.hooks.strict_load_hook import find_misfits
from spikemm.visualization.overlays import DPI, beside

Image = str | Path | np.ndarray
"""A file, or the pixels ``[H, W, 3]``, BGR, uint8."""


class Inferencer:
    """Predict images with the test pipeline of a config and a checkpoint that must fit its model exactly.

    Call it with an image or a list of them; what it returns has the size of the image that was given. It leaves no
    default scope behind, so that inferencers of several tasks live in one process, and it names an image that cannot be
    read. A subclass says how to read a result of the model (:meth:`postprocess`), describes and draws it.

    Args:
        cfg: Config with ``model`` and ``test_dataloader``.
        checkpoint: Checkpoint file or URL.
        device: Device such as 'cpu' or 'cuda:0'; None takes the GPU if there is one.
    """

    scope: str

    def __init__(self, cfg: Config, checkpoint: str, device: str | None = None) -> None:
        with DefaultScope.overwrite_default_scope(self.scope):
            self.model, meta = load_model(cfg, checkpoint)
            self.pipeline = image_pipeline(test_dataset(cfg).pipeline)
        self.model.to(device or get_device()).eval()
        self.classes, self.palette = meta['classes'], meta['palette']
        if not self.classes:
            raise ValueError(f'metainfo of the test dataset must name the classes, for {checkpoint} does not.')

    @torch.no_grad()
    def __call__(self, inputs: Image | Sequence[Image], batch_size: int = 1) -> list[dict]:
        """Predict images.

        Args:
            inputs: An image or a list of them.
            batch_size: Images that go through the model together, at most. Only images that the pipeline gives the
                same size do, so that none is predicted with a padding that it would not have alone.
        """
        if isinstance(inputs, str | Path | np.ndarray):
            inputs = [inputs]
        with DefaultScope.overwrite_default_scope(self.scope):
            return [
                self.postprocess(result.cpu()) for batch in batches(map(self.preprocess, inputs), batch_size)
                for result in self.model.test_step(pseudo_collate(batch))]

    def preprocess(self, image: Image) -> dict:
        if isinstance(image, np.ndarray):
            check_pixels(image)
            shape = image.shape[:2]
            return self.pipeline(dict(img=image, img_path=None, img_shape=shape, ori_shape=shape))
        return self.pipeline(dict(img_path=str(image)))

    def postprocess(self, result: BaseDataElement) -> dict:
        """Return the prediction in arrays."""
        raise NotImplementedError

    def describe(self, prediction: dict, topk: int = 5) -> str:
        """Return the most important part of a prediction, one entry a line."""
        raise NotImplementedError

    def draw_one(self, image: np.ndarray, prediction: dict) -> np.ndarray:
        """Draw a prediction on its image; both pictures are RGB, uint8, ``[H, W, 3]``."""
        raise NotImplementedError

    def draw(self, images: Sequence[Image], predictions: Sequence[dict], *, columns: int = 4) -> Figure:
        """Draw predictions on their images.

        Args:
            images: The images that were predicted.
            predictions: What was predicted.
            columns: Images in a row, at most.

        Returns:
            A figure to save with ``savefig('picture.png')``; small images are enlarged.

        Raises:
            ValueError: There is no image.
        """
        if not len(images):
            raise ValueError(f'`images` must have at least one image to draw, but got {images!r}.')
        picture = beside([
            self.draw_one(np.ascontiguousarray(read(image)[..., ::-1]), prediction)
            for image, prediction in zip(images, predictions, strict=True)], columns)
        figure = Figure(np.add(picture.shape[1::-1], 0.01) / DPI, dpi=DPI)  # matplotlib rounds down
        figure.figimage(picture)
        return figure


def check_pixels(image: np.ndarray) -> None:
    """Raise ValueError where an array is no image that a pipeline could take."""
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise ValueError(f'An image that is an array must be uint8 [H, W, 3], but got {image.dtype} '
                         f'{list(image.shape)}.')
    reason = find_misfit(*image.shape[:2], None, None)
    if reason:
        raise ValueError(f'Cannot use the image ({reason}).')


def read(image: Image) -> np.ndarray:
    """Return the pixels ``[H, W, 3]``, BGR, uint8."""
    return image if isinstance(image, np.ndarray) else imread(str(image))


def batches(samples: Iterator[dict], size: int) -> Iterator[list[dict]]:
    """Group consecutive samples whose inputs have the same shape."""
    batch = []
    for sample in samples:
        if batch and (len(batch) == size or sample['inputs'].shape != batch[0]['inputs'].shape):
            yield batch
            batch = []
        batch.append(sample)
    if batch:
        yield batch


def find(registry: Registry, name: str) -> type:
    """Return the class that a config means by a name; ``Registry.get`` alone ignores the default scope."""
    with registry.switch_scope_and_registry(None) as scoped:
        found = scoped.get(name)
    if found is None:
        raise ValueError(f'type must be a registered {registry.name}, but got {name!r}.')
    return found


def image_pipeline(steps: Sequence[dict]) -> Compose:
    """Build a test pipeline for images without ground truth; it raises an error that names an unreadable image."""
    kept = []
    for step in steps:
        kind = find(TRANSFORMS, step['type'])
        if issubclass(kind, LoadImageFromFile):
            kept.append({**step, 'type': 'spikemm.LoadImage', 'on_error': 'raise'})
        elif not issubclass(kind, LoadAnnotations):
            kept.append(step)
    return Compose(kept)


def test_dataset(cfg: Config) -> ConfigDict:
    """Return the config of the test dataset, without wrappers.

    Raises:
        ValueError: There is none.
    """
    dataset = (cfg.get('test_dataloader') or {}).get('dataset')
    while dataset and 'dataset' in dataset:
        dataset = dataset.dataset
    if not dataset:
        raise ValueError(f'test_dataloader must have a dataset, for its pipeline and classes, in {cfg.filename}.')
    return dataset


def load_model(cfg: Config, checkpoint: str) -> tuple[BaseModel, dict]:
    """Build the model of a config and load a checkpoint that must fit it.

    Returns:
        The model on the CPU; and the ``classes`` and the ``palette`` of its data as the checkpoint, the config or the
        dataset class has them, or None.

    Raises:
        RuntimeError: The checkpoint does not fit.
    """
    cfg = cfg.copy()
    cfg.model.setdefault('data_preprocessor', cfg.get('data_preprocessor'))
    model = MODELS.build(cfg.model)
    content = CheckpointLoader.load_checkpoint(checkpoint, map_location='cpu')
    misfits = find_misfits(model, content.get('state_dict', content))
    if misfits:
        raise RuntimeError(f'{checkpoint} does not fit the model of the config: {"; ".join(misfits)}.')
    dataset = test_dataset(cfg)
    stored = content.get('meta', {}).get('dataset_meta') or {}
    sources = (stored, dataset, dataset.get('metainfo') or {}, find(DATASETS, dataset.type).METAINFO)
    return model, {name: next((s[name] for s in sources if s.get(name)), None) for name in ('classes', 'palette')}
