from mmdet.models.dense_heads import RPNHead
from torch import Tensor

from spikemm.layers import build_neurons, drop_activations, fire_through, mean_over_time, over_time, to_sequence
from spikemm.neurons import build_neuron
from spikemm.registry import MODELS


@MODELS.register_module()
class SpikeRPNHead(RPNHead):
    """Region proposals from spikes. **Time ends here**: scores and deltas are the mean over the time steps.

    ::

        [T, B, C, H, W] -> neuron -> 3x3 convolution -> neuron -> scores, deltas (1x1 each) -> mean over T

    mmdet's RPNHead with neurons in place of its ReLU and the same state dict. What becomes boxes leaves in float32,
    also under autocast.

    Args:
        *args: Arguments of mmdet's ``RPNHead``.
        neuron: Config of every neuron.
        **kwargs: Arguments of mmdet's ``RPNHead``.
    """

    def __init__(self, *args, neuron: dict = dict(type='LIF'), **kwargs) -> None:
        super().__init__(*args, **kwargs)
        convs = self.convs
        drop_activations(convs)
        self.neurons = build_neurons(neuron, convs)
        self.out_neuron = build_neuron(neuron)

    @property
    def convs(self) -> list:
        return list(self.rpn_conv) if self.num_convs > 1 else [self.rpn_conv]

    def forward_single(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Scores and deltas ``[B, ..., H, W]`` of one level, ``[T, B, C, H, W]``."""
        x = fire_through(self.convs, self.neurons, to_sequence(x, 1))
        spikes = self.out_neuron(x)  # both branches read this potential: one neuron serves them
        scores, deltas = (mean_over_time(over_time(conv, spikes)) for conv in (self.rpn_cls, self.rpn_reg))
        return scores.float(), deltas.float()
