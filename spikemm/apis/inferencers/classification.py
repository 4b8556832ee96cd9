"""Predict the classes of images."""

from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.figure import Figure
from mmengine.config import Config
from mmengine.dataset import Compose, default_collate
from mmengine.device import get_device
from mmengine.registry import DefaultScope
from mmpretrain.apis import ImageClassificationInferencer
from mmpretrain.utils import progress

from spikemm.apis.inferencers.base import Image, check_pixels, load_model, read
from spikemm.datasets.transforms import LoadImage
from spikemm.visualization.overlays import RIGHT, UNKNOWN, WRONG


class ClassificationInferencer(ImageClassificationInferencer):
    """mmpretrain's inferencer of classification, for a checkpoint that must fit the model exactly.

    Call it with an image or a list of them; the options are those of mmpretrain. It leaves no default scope behind, so
    that inferencers of several tasks live in one process, and it names an image that cannot be read.

    Args:
        cfg: Config with ``model`` and ``test_dataloader``.
        checkpoint: Checkpoint file or URL.
        device: Device such as 'cpu' or 'cuda:0'; None takes the GPU if there is one.

    Example::

        inferencer = init_inferencer('my_config.py', 'epoch_10.pth')
        inferencer(['a.png', 'b.png'])  # [{'pred_label': 3, 'pred_class': '3', 'pred_score': 0.98, ...}, {...}]
    """

    scope = 'mmpretrain'

    def __init__(self, cfg: Config, checkpoint: str, device: str | None = None) -> None:
        with DefaultScope.overwrite_default_scope(self.scope):
            model, meta = load_model(cfg, checkpoint)
            model._config, model._dataset_meta = cfg, meta  # where mmpretrain's inferencer looks for them
            super().__init__(model, pretrained=False, device=device or get_device())

    def __call__(self, inputs: Image | list[Image], *args, **kwargs) -> list[dict]:
        shown, progress.disable_progress_bar = progress.disable_progress_bar, True
        try:
            with DefaultScope.overwrite_default_scope(self.scope):
                return super().__call__(inputs, *args, **kwargs)
        finally:
            progress.disable_progress_bar = shown

    def preprocess(self, inputs: list[Image], batch_size: int = 1) -> Iterator[dict]:
        load = LoadImage()

        def to_sample(image: Image) -> dict:
            if isinstance(image, np.ndarray):
                check_pixels(image)
                return dict(img=image, img_shape=image.shape[:2], ori_shape=image.shape[:2])
            return load(dict(img_path=str(image)))

        prepared = map(Compose([to_sample, self.pipeline]), inputs)
        yield from map(default_collate, self._get_chunk_data(prepared, batch_size))

    def class_name(self, label: int) -> str:
        return str(label if self.classes is None else self.classes[label])

    def describe(self, prediction: dict, topk: int = 5) -> str:
        """Return the best classes with their scores, one a line."""
        scores = prediction['pred_scores']
        best = np.argsort(-scores, kind='stable')[:topk]
        return '\n'.join(f'{scores[label]:7.2%}  {self.class_name(label)}' for label in best)

    def draw(
        self, images: Sequence[Image], predictions: Sequence[dict], labels: Sequence[int] | None = None, *,
        columns: int = 10,
    ) -> Figure:
        """Draw images with the predicted class and its score below each.

        Args:
            images: The images that were predicted.
            predictions: What was predicted.
            labels: True classes. With them, right predictions are green; wrong ones are red, framed, and state what
                is true.
            columns: Images in a row, at most.

        Returns:
            A figure to save with ``savefig('picture.png')``.

        Raises:
            ValueError: There is no image.
        """
        if not len(images):
            raise ValueError(f'`images` must have at least one image to draw, but got {images!r}.')
        captions = [f'{self.class_name(p["pred_label"])}  {p["pred_score"]:.0%}' for p in predictions]
        colours = [UNKNOWN] * len(captions)
        for i, label in enumerate(() if labels is None else labels):
            right = predictions[i]['pred_label'] == label
            colours[i] = RIGHT if right else WRONG
            captions[i] += '' if right else f', true {self.class_name(label)}'
        columns = min(columns, len(images))
        rows = -(-len(images) // columns)
        width = max(1.0, 3 / columns, 0.09 * max(map(len, captions)))  # of an image, in inches
        figure = Figure((columns * width, rows * (width + 0.25)), dpi=100, layout='constrained')
        axes = figure.subplots(rows, columns, squeeze=False).ravel()
        for ax in axes:
            ax.set(xticks=[], yticks=[], frame_on=False)
        for ax, image, caption, colour in zip(axes, images, captions, colours, strict=False):
            ax.imshow(read(image)[..., ::-1])
            ax.set_xlabel(caption, color=colour)
            ax.set_frame_on(colour == WRONG)
            ax.spines[:].set(color=WRONG, linewidth=5)
        return figure
