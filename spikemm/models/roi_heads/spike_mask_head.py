from mmdet.models.roi_heads.mask_heads import FCNMaskHead
from torch import Tensor

from spikemm.layers import build_neurons, drop_activations, fire_through, mean_over_time, over_time, to_sequence
from spikemm.neurons import build_neuron
from spikemm.registry import MODELS


@MODELS.register_module()
class SpikeFCNMaskHead(FCNMaskHead):
    """Mask of every RoI from spikes. **Time ends here**: the logits are the mean over the time steps.

    ::

        [T, R, C, h, w] -> (neuron -> convolution) x num_convs -> neuron -> upsampling -> neuron -> 1x1 -> mean over T

    mmdet's FCNMaskHead with neurons and the same state dict. Logits are float32, also under autocast.

    Args:
        *args: Arguments of mmdet's ``FCNMaskHead``; ``upsample_cfg`` of type 'deconv', 'nearest', 'bilinear' or None.
        neuron: Config of every neuron.
        relu: Whether a ReLU stays behind each of the convolutions, as in the released network. It changes spikes only
            for ``T > 1`` (a negative current no longer discharges the next neuron), but always stops the gradient of
            negative currents: from scratch, False learns better.
        **kwargs: Arguments of mmdet's ``FCNMaskHead``.
    """

    def __init__(self, *args, neuron: dict = dict(type='LIF'), relu: bool = True, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        if self.upsample_method == 'carafe':
            raise ValueError("upsample_cfg must be of type 'deconv', 'nearest', 'bilinear' or None, but got 'carafe'.")
        if not relu:
            drop_activations(self.convs)
        self.neurons = build_neurons(neuron, self.convs)
        self.upsample_neuron = build_neuron(neuron) if self.upsample_method == 'deconv' else None
        self.out_neuron = build_neuron(neuron)

    def forward(self, x: Tensor) -> Tensor:
        """Mask logits ``[R, num_classes, H, W]`` of RoI features ``[T, R, C, h, w]`` (or ``[R, C, h, w]``)."""
        x = fire_through(self.convs, self.neurons, to_sequence(x, 1))
        if self.upsample_neuron is not None:
            x = self.upsample_neuron(x)
        if self.upsample is not None:
            x = over_time(self.upsample, x)
        return mean_over_time(over_time(self.conv_logits, self.out_neuron(x))).float()
