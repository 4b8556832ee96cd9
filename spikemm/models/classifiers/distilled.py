from functools import cached_property

import torch
from mmengine.runner import load_checkpoint
from mmpretrain.models.classifiers import ImageClassifier
from mmpretrain.registry import MODELS as CLS_MODELS
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from spikemm.registry import MODELS


@MODELS.register_module()
class DistilledImageClassifier(ImageClassifier):
    """Image classifier that learns from a frozen teacher, which sees the same augmented images.

    The teacher is any classifier of mmpretrain with the classes of the student. It is fed what leaves the student's
    ``data_preprocessor`` (mixup included), so it must have been trained with the same normalisation. It is built at the
    first training step and is no submodule: checkpoints, optimizer, EMA, ``train()`` and DDP never see it, testing
    needs none of its weights, and the checkpoints are those of a plain ``ImageClassifier``.

    Meta-SpikeFormer distils from CAFormer-B36 (ImageNet-21k, then 1k), which mmpretrain reaches through timm, as in
    the example. Of its own backbones PoolFormer-M48 is the closest, a MetaFormer with pooling in place of attention.

    Args:
        teacher: Config of the teacher.
        teacher_ckpt: Its checkpoint. Without one the weights come from the config itself, by ``pretrained=True`` of
            ``TimmClassifier`` or by its ``init_cfg``.
        args, kwargs: Arguments of :class:`mmpretrain.models.ImageClassifier`; the head must be one whose ``loss`` takes
            ``teacher_score``, such as :class:`spikemm.models.SpikeDistillClsHead`.

    Examples:
        >>> model = dict(
        ...     type='spikemm.DistilledImageClassifier',
        ...     backbone=...,
        ...     head=dict(type='spikemm.SpikeDistillClsHead', num_classes=1000, in_channels=640),
        ...     teacher=dict(type='TimmClassifier', model_name='caformer_b36.sail_in22k_ft_in1k', pretrained=True))
    """

    def __init__(self, *args, teacher: dict, teacher_ckpt: str | None = None, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.teacher_cfg = teacher
        self.teacher_ckpt = teacher_ckpt

    @cached_property
    def teacher(self) -> nn.Module:
        """The frozen teacher. A cached property stores it where ``nn.Module`` does not look for submodules."""
        teacher = CLS_MODELS.build(self.teacher_cfg)
        if self.teacher_ckpt is not None:
            load_checkpoint(teacher, self.teacher_ckpt, map_location='cpu', strict=True)
        elif teacher.init_cfg:
            teacher.init_weights()
        return teacher.eval().requires_grad_(False)

    def loss(self, inputs: Tensor, data_samples: list[DataSample]) -> dict[str, Tensor]:
        with torch.no_grad():
            teacher_score = self.teacher.to(inputs.device)(inputs)
        return self.head.loss(self.extract_feat(inputs), data_samples, teacher_score=teacher_score)
