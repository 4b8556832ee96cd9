"""A neuron of integers: what it sends at once a binary neuron would send over several time steps."""

from spikingjelly.activation_based import neuron
from torch import Tensor

from spikemm.registry import NEURONS

from .stateless import StatelessMixin


@NEURONS.register_module()
class Integer(StatelessMixin, neuron.BaseNode):
    """Number of spikes ``round(clamp(x, 0, levels))``, half to even; a time step knows nothing of the one before.

    Gradients pass unchanged where ``0 <= x <= levels``. It is the neuron of the neck and heads that were released with
    Spike-driven Transformer V3 for detection, whose neck (by an error, we think) is evaluated with ``levels=1``. A
    network of it is integer-driven: an input of 3 costs a weight layer three additions.

    Args:
        levels: Largest number of spikes.
    """

    def __init__(self, levels: int = 4) -> None:
        if not isinstance(levels, int) or levels < 1:
            raise ValueError(f'levels must be a positive integer, but got {levels!r}.')
        super().__init__(v_threshold=1.0, v_reset=0.0, step_mode='m')
        self.levels = levels

    def single_step_functional_forward(self, inputs, states, **kwargs):
        return (self._count(inputs[0]),), states

    def multi_step_functional_forward(self, inputs, states, **kwargs):
        return (self._count(inputs[0]),), states

    def _count(self, x: Tensor) -> Tensor:
        clamped = x.clamp(0, self.levels)
        return clamped + (clamped.round() - clamped).detach()

    def extra_repr(self) -> str:
        return f'levels={self.levels}'
