from mmdet.models.dense_heads import YOLOXHead
from torch import Tensor, nn

from spikemm.layers import build_neurons, fire_through, mean_over_time, over_time, to_sequence
from spikemm.registry import MODELS


@MODELS.register_module()
class SpikeYOLOXHead(YOLOXHead):
    """YOLOX's decoupled head on spikes. **Time ends here**: its outputs are the mean over the time steps.

    mmdet's YOLOXHead with a neuron in front of every convolution, no Swish, and the same state dict. Outputs leave in
    float32, also under autocast.

    Args:
        *args: Arguments of mmdet's ``YOLOXHead``, without ``act_cfg``.
        neuron: Config of every neuron.
        **kwargs: Arguments of mmdet's ``YOLOXHead``, without ``act_cfg``; ``stacked_convs`` must be 1 or more and
            ``use_depthwise`` False: the pointwise half of such a pair would read real numbers.
    """

    def __init__(self, *args, neuron: dict = dict(type='LIF'), **kwargs) -> None:
        super().__init__(*args, act_cfg=None, **kwargs)
        if self.stacked_convs < 1:
            raise ValueError(f'stacked_convs must be 1 or more, but got {self.stacked_convs!r}.')
        if self.use_depthwise:
            raise ValueError('use_depthwise must be False: no neuron stands within a depthwise-pointwise pair.')
        levels = self.multi_level_cls_convs
        self.in_neurons = build_neurons(neuron, levels)  # the first of both branches: they read the same potential
        self.cls_neurons = nn.ModuleList(build_neurons(neuron, convs) for convs in levels)
        self.reg_neurons = nn.ModuleList(build_neurons(neuron, convs) for convs in levels)

    def forward(self, x: tuple[Tensor, ...]) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """Scores, boxes and objectness ``[B, ..., H, W]`` of every level ``[T, B, C, H, W]``."""
        outs = [self._forward_level(i, level) for i, level in enumerate(x)]
        return tuple(map(list, zip(*outs, strict=True)))

    def _forward_level(self, i: int, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        spikes = self.in_neurons[i](to_sequence(x, 1))
        cls_spikes = self._branch(self.multi_level_cls_convs[i], self.cls_neurons[i], spikes)
        reg_spikes = self._branch(self.multi_level_reg_convs[i], self.reg_neurons[i], spikes)
        reads = (
            (self.multi_level_conv_cls[i], cls_spikes), (self.multi_level_conv_reg[i], reg_spikes),
            (self.multi_level_conv_obj[i], reg_spikes))
        return tuple(mean_over_time(over_time(conv, spikes)).float() for conv, spikes in reads)

    @staticmethod
    def _branch(convs: nn.Sequential, neurons: nn.ModuleList, spikes: Tensor) -> Tensor:
        first, *rest = convs
        *between, last = neurons
        return last(fire_through(rest, between, over_time(first, spikes)))
