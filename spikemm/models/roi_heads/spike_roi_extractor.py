from collections.abc import Sequence

import torch
from mmdet.models.roi_heads.roi_extractors import SingleRoIExtractor
from torch import Tensor

from spikemm.registry import MODELS

from .spike_roi_head import MapsByImage


@MODELS.register_module()
class SpikeRoIExtractor(SingleRoIExtractor):
    """RoI features of every time step, cut out of that step's maps. Time passes through.

    mmdet's SingleRoIExtractor, in float32 also under autocast: it would round the RoIs to half precision, by pixels.

    Args:
        *args: Arguments of mmdet's ``SingleRoIExtractor``.
        **kwargs: Arguments of mmdet's ``SingleRoIExtractor``.
    """

    def forward(self, feats: Sequence[Tensor], rois: Tensor, roi_scale_factor: float | None = None) -> Tensor:
        """Features ``[T, R, C, h, w]`` of maps ``[T, B, C, H, W]``, or ``[R, C, h, w]`` of maps ``[B, C, H, W]``.

        Args:
            feats: Maps of every level.
            rois: ``[R, 5]``: number of the image in the batch and x1, y1, x2, y2 in pixels of the input.
            roi_scale_factor: Factor that enlarges the RoIs.
        """
        feats = [(x.maps if isinstance(x, MapsByImage) else x).float() for x in feats]
        if feats[0].ndim == 4:
            return super().forward(feats, rois.float(), roi_scale_factor)
        T, B = feats[0].shape[:2]
        images = rois[:, 0] + B * torch.arange(T, device=rois.device).view(T, 1)  # numbers in the folded batch, [T, R]
        of_steps = torch.cat([images.unsqueeze(-1), rois[:, 1:].expand(T, -1, -1)], -1).flatten(0, 1).float()
        features = super().forward([x.flatten(0, 1) for x in feats], of_steps, roi_scale_factor)
        return features.unflatten(0, (T, len(rois)))
