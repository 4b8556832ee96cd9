from collections.abc import Sequence

import torch
from mmcv.cnn import ConvModule
from mmseg.models.decode_heads import FPNHead
from mmseg.models.utils import resize
from torch import Tensor, nn

from spikemm.layers import mean_over_time, over_time, recompute, to_sequence
from spikemm.neurons import build_neuron
from spikemm.registry import MODELS


@MODELS.register_module()
class SpikeFPNHead(FPNHead):
    """Semantic FPN's head on spikes. **Time ends here**: the logits are the mean over the time steps.

    ::

        each level: neuron -> 3x3 convolution, norm -> x2, until it has the first level's size
        sum of the levels -> neuron -> 1x1 -> mean over T

    mmseg's FPNHead with a neuron in front of every convolution, no ReLU, and the same state dict. The upsampled maps
    are membrane potentials. With maps that a backbone has averaged over time (``time_reduction='mean'``, the released
    segmentation) it runs one step; with ``[T, B, C, H, W]`` it runs ``T`` and costs as much more.

    Args:
        feature_strides: Stride of each level; only their ratios matter.
        neuron: Config of every neuron.
        dropout_ratio: Share of the channels dropped before the last convolution. It scales what is left, so that the
            last convolution meets no spikes any more in training; the released head has none.
        with_cp: Whether the backward computes each level again (activation checkpointing): less memory, more time.
        **kwargs: Arguments of mmseg's ``FPNHead``, without ``act_cfg``.
    """

    def __init__(
        self, feature_strides: Sequence[int], *, neuron: dict = dict(type='LIF'), dropout_ratio: float = 0.0,
        with_cp: bool = False, **kwargs,
    ) -> None:
        super().__init__(feature_strides=feature_strides, dropout_ratio=dropout_ratio, act_cfg=None, **kwargs)
        self.scale_neurons = nn.ModuleList(
            nn.ModuleList(build_neuron(neuron) if isinstance(layer, ConvModule) else nn.Identity() for layer in head)
            for head in self.scale_heads)
        self.out_neuron = build_neuron(neuron)
        self.with_cp = with_cp

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """Logits ``[B, num_classes, H, W]`` of maps ``[T, B, C, H, W]`` (or ``[B, C, H, W]``)."""
        maps = [to_sequence(x, 1) for x in self._transform_inputs(inputs)]
        size = maps[0].shape[-2:]
        fused = self._level(0, maps[0], size)
        for i in range(1, len(maps)):
            fused = fused + self._level(i, maps[i], size)
        return mean_over_time(over_time(self.cls_seg, self.out_neuron(fused)))

    def _level(self, i: int, x: Tensor, size: torch.Size) -> Tensor:
        if self.with_cp and self.training:
            return recompute(lambda v: self._scale(i, v, size), x, self.scale_heads[i])
        return self._scale(i, x, size)

    def _scale(self, i: int, x: Tensor, size: torch.Size) -> Tensor:
        for layer, neuron in zip(self.scale_heads[i], self.scale_neurons[i], strict=True):
            x = over_time(layer, neuron(x))
        if x.shape[-2:] == size:
            return x
        return over_time(lambda step: resize(step, size, mode='bilinear', align_corners=self.align_corners), x)
