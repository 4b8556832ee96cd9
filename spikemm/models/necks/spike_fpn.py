"""Feature pyramid on spikes, for detection and segmentation."""

from collections.abc import Sequence

import torch.nn.functional as F
from mmdet.models.necks import FPN
from torch import Tensor, nn

from spikemm.layers import build_neurons, mean_over_time, over_time, recompute, to_sequence
from spikemm.registry import MODELS


@MODELS.register_module()
class SpikeFPN(FPN):
    """Feature pyramid whose convolutions meet spikes; the laterals add up as membrane potentials.

    mmdet's FPN with a neuron in front of every convolution, no activation behind, and the same state dict: the FPN of
    the detectors and segmentors in `Spike-driven Transformer V2 <https://arxiv.org/abs/2404.03663>`_, as released in
    https://github.com/BICLab/Spike-Driven-Transformer-V3 (SpikeFPN, FPN_SNN). Time passes through by default.

    Where time ends is the config's choice:

    * in spiking heads (default): neck and heads run ``T`` steps. The released detection does so.
    * in the backbone, by its ``time_reduction='mean'``: maps ``[B, C, H, W]`` are one time step here, so neck and heads
      cost the same whatever ``T`` is, but read the mean potential. The released segmentation does so.
    * here, by ``time_reduction='mean'``: ``T`` steps of the neck, and behind it the stock heads of mmdet and mmseg.

    Args:
        in_channels: Channels of each map of the backbone.
        out_channels: Channels of each output.
        num_outs: Number of outputs; those above the last map are pooled or, with ``add_extra_convs``, convolved.
        neuron: Config of every neuron.
        time_reduction: None returns ``[T, B, C, H, W]``; 'mean' the mean over time, ``[B, C, H, W]``.
        start_level: First map of the backbone that is used.
        end_level: Last map that is used; -1 is the last.
        add_extra_convs: False, or what convolutions of stride 2 make further outputs from: 'on_input', 'on_lateral' or
            'on_output'; True is 'on_input'.
        norm_cfg: Norm behind every convolution; the released networks have none.
        no_norm_on_lateral: Whether the lateral convolutions have none.
        with_cp: Whether the backward computes spikes again (activation checkpointing): less memory, more time.
        init_cfg: Initialisation of mmengine.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        out_channels: int,
        num_outs: int,
        *,
        neuron: dict = dict(type='LIF'),
        time_reduction: str | None = None,
        start_level: int = 0,
        end_level: int = -1,
        add_extra_convs: bool | str = False,
        norm_cfg: dict | None = None,
        no_norm_on_lateral: bool = False,
        with_cp: bool = False,
        init_cfg: dict | list[dict] | None = dict(type='Xavier', layer='Conv2d', distribution='uniform'),
    ) -> None:
        if time_reduction not in (None, 'mean'):
            raise ValueError(f"time_reduction must be None or 'mean', but got {time_reduction!r}.")
        super().__init__(
            list(in_channels), out_channels, num_outs, start_level=start_level, end_level=end_level,
            add_extra_convs=add_extra_convs, norm_cfg=norm_cfg, no_norm_on_lateral=no_norm_on_lateral,
            init_cfg=init_cfg)
        self.time_reduction, self.with_cp = time_reduction, with_cp
        self.lateral_neurons = build_neurons(neuron, self.lateral_convs)
        self.fpn_neurons = build_neurons(neuron, self.fpn_convs)

    def forward(self, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Pyramid of maps ``[T, B, C, H, W]``, or ``[B, C, H, W]`` as one time step."""
        if len(inputs) != self.num_ins:
            raise ValueError(f'inputs must be {self.num_ins} maps, one for each of in_channels, but got {len(inputs)}.')
        maps = [to_sequence(x, 1) for x in inputs[self.start_level:self.backbone_end_level]]
        laterals = [self._fire(*pair) for pair in zip(self.lateral_convs, self.lateral_neurons, maps, strict=True)]
        for i in range(len(laterals) - 1, 0, -1):
            laterals[i - 1] = laterals[i - 1] + enlarge(laterals[i], laterals[i - 1].shape[-2:])
        convs = list(zip(self.fpn_convs, self.fpn_neurons, strict=True))
        outs = [self._fire(conv, neuron, x) for (conv, neuron), x in zip(convs, laterals, strict=False)]
        if self.add_extra_convs:
            x = {'on_input': maps, 'on_lateral': laterals, 'on_output': outs}[self.add_extra_convs][-1]
            for conv, neuron in convs[len(laterals):]:
                x = self._fire(conv, neuron, x)
                outs.append(x)
        while len(outs) < self.num_outs:
            outs.append(over_time(lambda x: F.max_pool2d(x, 1, stride=2), outs[-1]))
        return tuple(mean_over_time(x) for x in outs) if self.time_reduction else tuple(outs)

    def _fire(self, conv: nn.Module, neuron: nn.Module, x: Tensor) -> Tensor:
        if self.with_cp and self.training:
            return recompute(lambda v: over_time(conv, neuron(v)), x, conv)
        return over_time(conv, neuron(x))


def enlarge(x: Tensor, size: Sequence[int]) -> Tensor:
    """Nearest neighbours of ``[T, B, C, H, W]`` at another height and width."""
    return x if x.shape[-2:] == size else over_time(lambda step: F.interpolate(step, size=size, mode='nearest'), x)
