"""Predict the class of each pixel of images."""

import numpy as np
from mmseg.structures import SegDataSample

from spikemm.apis.inferencers.base import Inferencer
from spikemm.visualization.overlays import draw_segmentation, shares


class SegmentationInferencer(Inferencer):
    """Predict the class of each pixel.

    A prediction is ``{'sem_seg': [H, W]}``, integers, counted from 0; what is no class of the data has 255.

    Example::

        inferencer = init_inferencer('my_config.py', 'iter_160000.pth')
        inferencer(['a.jpg', 'b.jpg'])  # [{'sem_seg': ...}, {'sem_seg': ...}]
    """

    scope = 'mmseg'

    def postprocess(self, result: SegDataSample) -> dict:
        return {'sem_seg': result.pred_sem_seg.data[0].numpy()}

    def describe(self, prediction: dict, topk: int = 5) -> str:
        """Return the largest classes with their share of the pixels, one a line."""
        present = shares(prediction['sem_seg'], len(self.classes))
        return '\n'.join(f'{share:7.2%}  {self.classes[label]}' for label, share in present[:topk])

    def draw_one(self, image: np.ndarray, prediction: dict) -> np.ndarray:
        return draw_segmentation(image, prediction['sem_seg'], self.classes, self.palette)
