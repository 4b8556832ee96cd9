from mmdet.models.dense_heads import RetinaHead
from torch import Tensor

from spikemm.layers import build_neurons, drop_activations, fire_through, mean_over_time, over_time, to_sequence
from spikemm.neurons import build_neuron
from spikemm.registry import MODELS


@MODELS.register_module()
class SpikeRetinaHead(RetinaHead):
    """RetinaNet's two branches on spikes. **Time ends here**: scores and deltas are the mean over the time steps.

    mmdet's RetinaHead with a neuron in front of every convolution, no ReLU, and the same state dict. What becomes
    boxes leaves in float32, also under autocast.

    Args:
        *args: Arguments of mmdet's ``RetinaHead``.
        neuron: Config of every neuron.
        **kwargs: Arguments of mmdet's ``RetinaHead``; ``stacked_convs`` must be 1 or more.
    """

    def __init__(self, *args, neuron: dict = dict(type='LIF'), **kwargs) -> None:
        super().__init__(*args, **kwargs)
        if self.stacked_convs < 1:
            raise ValueError(f'stacked_convs must be 1 or more, but got {self.stacked_convs!r}.')
        drop_activations([*self.cls_convs, *self.reg_convs])
        self.in_neuron = build_neuron(neuron)  # the first of both branches: they read the same potential
        self.cls_neurons = build_neurons(neuron, self.cls_convs)
        self.reg_neurons = build_neurons(neuron, self.reg_convs)

    def forward_single(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Scores and deltas ``[B, ..., H, W]`` of one level, ``[T, B, C, H, W]``."""
        spikes = self.in_neuron(to_sequence(x, 1))
        branches = (
            (self.cls_convs, self.cls_neurons, self.retina_cls), (self.reg_convs, self.reg_neurons, self.retina_reg))
        outs = []
        for (first, *convs), neurons, last in branches:
            outs.append(mean_over_time(fire_through([*convs, last], neurons, over_time(first, spikes))).float())
        return tuple(outs)
