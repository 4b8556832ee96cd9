"""Find the objects in images."""

from collections.abc import Sequence

import numpy as np
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

from spikemm.apis.inferencers.base import Image, Inferencer
from spikemm.visualization.overlays import draw_instances


class DetectionInferencer(Inferencer):
    """Predict boxes and, where the model has a mask head, masks.

    Example::

        inferencer = init_inferencer('my_config.py', 'epoch_12.pth')
        inferencer('a.jpg', score_thr=0.3)  # [{'labels': ..., 'scores': ..., 'bboxes': ..., 'masks': ...}]
    """

    scope = 'mmdet'

    def __call__(
        self, inputs: Image | Sequence[Image], batch_size: int = 1, *, score_thr: float = 0.0,
    ) -> list[dict]:
        """Predict images.

        Args:
            inputs: An image or a list of them.
            batch_size: As of :class:`Inferencer`.
            score_thr: Lowest score of the objects returned.

        Returns:
            For each image its objects, best first: ``labels [N]``, ``scores [N]``, ``bboxes [N, 4]`` as x1, y1, x2, y2
            in pixels of the image and, where predicted, ``masks [N, H, W]``, bool.
        """
        found = super().__call__(inputs, batch_size)
        return [{name: field[p['scores'] >= score_thr] for name, field in p.items()} for p in found]

    def postprocess(self, result: DetDataSample) -> dict:
        found = result.pred_instances.numpy()
        order = np.argsort(-found.scores, kind='stable')
        return {name: found[name][order] for name in ('labels', 'scores', 'bboxes', 'masks') if name in found}

    def describe(self, prediction: dict, topk: int = 5) -> str:
        """Return the best objects with score, class and box (x1, y1, x2, y2 in pixels), one a line."""
        rows = zip(prediction['scores'], prediction['labels'], prediction['bboxes'], strict=True)
        width = max(map(len, self.classes))
        lines = [
            f'{score:7.2%}  {self.classes[label]:{width}}' + ''.join(f'{side:7.0f}' for side in box)
            for score, label, box in list(rows)[:topk]]
        return '\n'.join(lines) if lines else 'No object was found.'

    def draw_one(self, image: np.ndarray, prediction: dict) -> np.ndarray:
        return draw_instances(image, InstanceData(**prediction), self.classes, self.palette)
