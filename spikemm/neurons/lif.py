"""Leaky integrate-and-fire neurons: SpikingJelly's, stateless, with our own step where it pays."""

import math

import torch
from spikingjelly.activation_based import functional, neuron
from spikingjelly.activation_based.surrogate import SurrogateFunctionBase
from torch import Tensor, nn

from spikemm.ops.dynamics import Dynamics
from spikemm.ops.lif import lif
from spikemm.registry import NEURONS

from .builder import build_surrogate
from .stateless import StatelessMixin


class _Node(StatelessMixin):
    """Arguments common to the family.

    Args:
        v_threshold: Firing threshold.
        v_reset: Reset potential; None subtracts the threshold instead (soft reset).
        detach_reset: Whether the reset carries no gradient.
        surrogate: Surrogate function, a config or a module of SpikingJelly.
    """

    def __init__(
        self,
        *,
        v_threshold: float = 1.0,
        v_reset: float | None = 0.0,
        detach_reset: bool = True,
        surrogate: dict | SurrogateFunctionBase | None = None,
        **kwargs,
    ) -> None:
        if not v_threshold > 0:
            raise ValueError(f'v_threshold must be positive, but got {v_threshold!r}.')
        if v_reset is not None and not v_reset < v_threshold:
            raise ValueError(f'v_reset must be below v_threshold ({v_threshold!r}) or None, but got {v_reset!r}.')
        super().__init__(
            v_threshold=float(v_threshold),
            v_reset=None if v_reset is None else float(v_reset),
            surrogate_function=build_surrogate(surrogate),
            detach_reset=detach_reset,
            step_mode='m',
            **kwargs,
        )


def _checked_tau(name: str, tau: float) -> float:
    if not tau > 1:
        raise ValueError(f'{name} must be greater than 1 (time steps), but got {tau!r}.')
    return float(tau)


@NEURONS.register_module()
class LIF(_Node, neuron.LIFNode):
    """Leaky integrate-and-fire neuron; its rule stands in :mod:`spikemm.ops.lif`.

    With ``tau=2`` and ``decay_input`` it fires exactly when Eq. (4)-(6) of `Spike-driven Transformer V2
    <https://arxiv.org/abs/2404.03663>`_ do with beta = 0.5 and u_th = 2: the released code halves the input, the
    paper's text does not. ``decay_input=False`` is the paper's form.

    Args:
        tau: Membrane time constant in time steps, above 1.
        decay_input: Whether the input is divided by ``tau`` as well.
        **kwargs: ``v_threshold``, ``v_reset``, ``detach_reset``, ``surrogate``.
    """

    def __init__(self, tau: float = 2.0, decay_input: bool = True, **kwargs) -> None:
        super().__init__(tau=_checked_tau('tau', tau), decay_input=decay_input, **kwargs)

    @property
    def rule(self) -> Dynamics:
        return Dynamics(self.tau, self.v_threshold, self.v_reset, self.decay_input, self.detach_reset)

    def multi_step_forward(self, x: Tensor) -> Tensor:
        return lif(x, None, self.rule, self.surrogate_function, keep_state=False)[0]

    def multi_step_functional_forward(self, inputs, states, **kwargs):
        spikes, v = lif(inputs[0], states[0], self.rule, self.surrogate_function, keep_state=True)
        return (spikes,), (v,)


@NEURONS.register_module()
class IF(_Node, neuron.IFNode):
    """Integrate-and-fire neuron, ``h[t] = v[t-1] + x[t]``: a LIF neuron that never leaks."""

    @property
    def rule(self) -> Dynamics:
        return Dynamics(math.inf, self.v_threshold, self.v_reset, False, self.detach_reset)

    multi_step_forward = LIF.multi_step_forward
    multi_step_functional_forward = LIF.multi_step_functional_forward


@NEURONS.register_module()
class PLIF(_Node, neuron.ParametricLIFNode):
    """LIF neuron that learns its time constant, ``1 / tau = sigmoid(w)``, one ``w`` a layer.

    Source: `Incorporating Learnable Membrane Time Constant <https://arxiv.org/abs/2007.05785>`_.

    Args:
        init_tau: Time constant to start from, in time steps, above 1.
        decay_input: Whether the input is divided by ``tau`` as well.
        **kwargs: ``v_threshold``, ``v_reset``, ``detach_reset``, ``surrogate``.
    """

    def __init__(self, init_tau: float = 2.0, decay_input: bool = True, **kwargs) -> None:
        super().__init__(init_tau=_checked_tau('init_tau', init_tau), decay_input=decay_input, **kwargs)


@NEURONS.register_module()
class ThresholdLIF(_Node, neuron.BaseNode):
    """LIF neuron that learns its firing threshold, one a layer (SDSA-4 of Spike-driven Transformer V2, Sec. 3.3).

    The threshold is stored as its logarithm, so no optimiser step makes it negative.

    Args:
        tau: Membrane time constant in time steps, above 1.
        decay_input: Whether the input is divided by ``tau`` as well.
        v_threshold: Threshold to start from.
        **kwargs: ``v_reset``, ``detach_reset``, ``surrogate``.
    """

    def __init__(self, tau: float = 2.0, decay_input: bool = True, v_threshold: float = 1.0, **kwargs) -> None:
        super().__init__(v_threshold=v_threshold, **kwargs)
        self.tau = _checked_tau('tau', tau)
        self.decay_input = decay_input
        start = math.log(v_threshold)
        self.log_threshold = nn.Parameter(torch.full((1,), start))  # 1-d: not decayed, and LAMB takes it

    def single_step_functional_forward(self, inputs, states, **kwargs):
        threshold = self.log_threshold.exp()
        h = functional.lif_charge(inputs[0], states[0], self.tau, self.decay_input, self.v_reset)
        spike = self.surrogate_function(h - threshold)
        return (spike,), (functional.voltage_reset(h, spike, threshold, self.v_reset, self.detach_reset),)
