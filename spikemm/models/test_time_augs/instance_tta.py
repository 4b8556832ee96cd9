"""Test-time augmentation of object detection with masks."""

from collections.abc import Sequence

from mmcv.ops import batched_nms
from mmdet.models import DetTTAModel
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import bbox_flip
from mmengine.structures import InstanceData

from spikemm.registry import MODELS

MIRRORED = {'horizontal': (-1,), 'vertical': (-2,), 'diagonal': (-2, -1)}  # axes of [N, H, W]


@MODELS.register_module()
class InstanceTTAModel(DetTTAModel):
    """mmdet's ``DetTTAModel``, for masks as well as for boxes alone.

    The predictions of all views, which the detector gives in pixels of the original image, are flipped back and put
    together; one NMS over each class thins them out, and a box that is kept keeps its own mask. Ground truth in the
    result is that of the first view that is not flipped.

    Example::

        tta_model = dict(
            type='spikemm.InstanceTTAModel',
            tta_cfg=dict(nms=dict(type='nms', iou_threshold=0.5), max_per_img=100))
        tta_pipeline = [
            dict(type='spikemm.LoadImage'),
            dict(type='TestTimeAug', transforms=[
                [dict(type='Resize', scale=(1333, s), keep_ratio=True) for s in (640, 800)],
                [dict(type='RandomFlip', prob=p) for p in (0.0, 1.0)],
                [dict(type='PackDetInputs', meta_keys=(
                    'img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor', 'flip', 'flip_direction'))]])]

    Args:
        tta_cfg: ``nms``, the config of mmcv's ``batched_nms``, and ``max_per_img``.
        **kwargs: ``module``, the detector; arguments of mmengine's ``BaseTTAModel``.
    """

    def _merge_single_sample(self, data_samples: Sequence[DetDataSample]) -> DetDataSample:
        if any('flip' not in sample for sample in data_samples):
            raise ValueError("meta_keys of PackDetInputs must hold 'flip' and 'flip_direction' in the tta_pipeline, "
                             f'but got {sorted(data_samples[0].metainfo_keys())}.')
        found = InstanceData.cat([flip_back(sample) for sample in data_samples])
        if len(found):
            boxes, kept = batched_nms(found.bboxes, found.scores, found.labels, self.tta_cfg['nms'])
            found = found[kept]
            found.scores = boxes[:, -1]  # soft NMS lowers them
            found = found[:self.tta_cfg['max_per_img']]
        merged = next((sample for sample in data_samples if not sample.flip), data_samples[0])
        merged.pred_instances = found
        return merged


def flip_back(sample: DetDataSample) -> InstanceData:
    """Return the predictions of a view as they are on the image before it was flipped."""
    found = sample.pred_instances
    if sample.flip:
        found = found.clone()
        found.bboxes = bbox_flip(found.bboxes, sample.ori_shape, sample.flip_direction)
        if 'masks' in found:
            found.masks = found.masks.flip(MIRRORED[sample.flip_direction])
    return found
