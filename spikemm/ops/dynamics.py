"""What decides how a LIF neuron moves; shared by the step and its CPU kernels."""

import math
from typing import NamedTuple


class Dynamics(NamedTuple):
    """The constants of a LIF neuron; ``tau`` in time steps."""

    tau: float
    v_threshold: float
    v_reset: float | None
    decay_input: bool
    detach_reset: bool

    @property
    def single_step_threshold(self) -> float | None:
        """Threshold of the first input from rest, if scaling it by ``tau`` is exact (a power of two), else None."""
        if self.v_reset or (self.decay_input and math.frexp(self.tau)[0] != 0.5):
            return None
        return self.v_threshold * self.tau if self.decay_input else self.v_threshold
