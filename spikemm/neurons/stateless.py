"""A forward pass that starts from rest and leaves nothing behind, for any neuron of SpikingJelly."""

from torch import Tensor


class StatelessMixin:
    """Mixed into a SpikingJelly node: a call is a function of its input, so there is no reset to forget.

    The state that must outlive a call (streaming) goes through SpikingJelly's explicit interface instead:
    ``(s,), (v,) = node.multi_step_functional_forward((x,), (v,))``; start with ``v = node.rest(x)``.
    """

    def supported_step_mode(self) -> tuple[str, ...]:
        return ('m',)

    def rest(self, x: Tensor) -> Tensor:
        """Potential at rest for an input ``x`` of shape ``[T, ...]``."""
        return self.materialize_states((x,), (0.0 if self.v_reset is None else self.v_reset,), 'm')[0]

    def multi_step_forward(self, x: Tensor) -> Tensor:
        """Spikes ``[T, ...]`` of the input current ``x`` of shape ``[T, ...]``."""
        (spikes,), _ = self.multi_step_functional_forward((x,), (self.rest(x),))
        return spikes
