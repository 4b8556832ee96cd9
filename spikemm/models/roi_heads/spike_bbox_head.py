from mmdet.models.roi_heads.bbox_heads import Shared2FCBBoxHead
from torch import Tensor, nn

from spikemm.layers import build_neurons, fire_through, mean_over_time, over_time, to_sequence
from spikemm.neurons import build_neuron
from spikemm.registry import MODELS


@MODELS.register_module()
class SpikeShared2FCBBoxHead(Shared2FCBBoxHead):
    """Class and box of every RoI from spikes. **Time ends here**: both are the mean over the time steps.

    ::

        [T, R, C, h, w] -> neuron -> fc -> neuron -> fc (-> neuron) -> class, box (fc each) -> mean over T

    mmdet's Shared2FCBBoxHead with neurons in place of its ReLU and the same state dict. Outputs are float32, also
    under autocast.

    Args:
        *args: Arguments of mmdet's ``Shared2FCBBoxHead``.
        neuron: Config of every neuron.
        fire_before_output: Whether the last two layers read spikes as all others do. In the released network they read
            the membrane potential, which costs multiplications.
        **kwargs: Arguments of mmdet's ``Shared2FCBBoxHead``.
    """

    def __init__(
        self, *args, neuron: dict = dict(type='LIF'), fire_before_output: bool = False, **kwargs
    ) -> None:
        super().__init__(*args, **kwargs)
        self.neurons = build_neurons(neuron, self.shared_fcs)
        self.out_neuron = build_neuron(neuron) if fire_before_output else nn.Identity()

    def forward(self, x: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Class scores and deltas ``[R, ...]`` of RoI features ``[T, R, C, h, w]`` (or ``[R, C, h, w]``)."""
        x = to_sequence(x, 1)
        if self.with_avg_pool:
            x = over_time(self.avg_pool, x)
        x = self.out_neuron(fire_through(self.shared_fcs, self.neurons, x.flatten(2)))
        cls_score = mean_over_time(over_time(self.fc_cls, x)).float() if self.with_cls else None
        bbox_pred = mean_over_time(over_time(self.fc_reg, x)).float() if self.with_reg else None
        return cls_score, bbox_pred
