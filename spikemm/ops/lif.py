"""The leaky integrate-and-fire step over a whole sequence: the one operator that every spiking layer calls.

Rule (SpikingJelly's ``LIFNode``, step for step, in its order of operations)::

    h[t] = v[t-1] + (x[t] - (v[t-1] - v_reset)) / tau     decay_input
    h[t] = v[t-1] - (v[t-1] - v_reset) / tau + x[t]       otherwise
    s[t] = 1 if h[t] >= v_threshold else 0
    v[t] = v_reset if s[t] else h[t]                      hard reset
    v[t] = h[t] - s[t] * v_threshold                      soft reset (v_reset is None, 0 in the charge)

The gradient of ``s`` is the surrogate function's derivative at ``h - v_threshold``. ``tau = inf`` without
``decay_input`` is the integrate-and-fire neuron.
"""

import math

import torch
from spikingjelly.activation_based import functional, surrogate
from torch import Tensor

from .dynamics import Dynamics

_CPU_SURROGATES = {surrogate.Sigmoid: 0, surrogate.ATan: 1, surrogate.Rect: 2}  # those which lif_cpu knows


def lif(
    x: Tensor, v: Tensor | None, rule: Dynamics, surrogate_function: surrogate.SurrogateFunctionBase, keep_state: bool
) -> tuple[Tensor, Tensor | None]:
    """Run LIF neurons over a sequence.

    Args:
        x: Input current ``[T, ...]``.
        v: Potential before the first step ``[...]`` float32, or None for rest (``v_reset``, 0 for a soft reset).
        rule: Constants of the neuron.
        surrogate_function: Surrogate function of SpikingJelly.
        keep_state: Whether to compute the potential after the last step.

    Returns:
        Spikes ``[T, ...]`` of ``x``'s type, 0 or 1, and the last potential ``[...]`` or None.
    """
    if v is not None and v.shape != x.shape[1:]:
        raise ValueError(f'v must have the shape {tuple(x.shape[1:])} of one step, but got {tuple(v.shape)}.')
    on_cpu = cpu_surrogate(x, surrogate_function)
    if on_cpu is not None and x.numel():
        return _LIFOnCPU.apply(x, v, rule, on_cpu, keep_state)
    if v is None:
        v = torch.full_like(x[0], rule.v_reset or 0.0, dtype=torch.promote_types(x.dtype, torch.float32))
    rest = rule.v_threshold, rule.v_reset, surrogate_function, rule.detach_reset
    if math.isinf(rule.tau):  # which lif_multi_step refuses
        spikes, v, _ = functional.if_multi_step(x, v, *rest)
    else:
        spikes, v, _ = functional.lif_multi_step(x, v, rule.tau, rule.decay_input, *rest)
    return spikes, v if keep_state else None


def cpu_surrogate(x: Tensor, surrogate_function: surrogate.SurrogateFunctionBase) -> tuple[int, float] | None:
    """Number and slope of a surrogate function that our CPU kernels have, or None where they do not apply."""
    kind = _CPU_SURROGATES.get(type(surrogate_function))
    if kind is None or x.device.type != 'cpu' or x.dtype == torch.float64:
        return None
    if not surrogate_function.spiking or torch.compiler.is_compiling():
        return None
    return kind, float(surrogate_function.alpha)


class _LIFOnCPU(torch.autograd.Function):
    """Saves the input alone; potentials are recomputed in the backward, which is cheaper than storing them."""

    @staticmethod
    def forward(ctx, x, v, rule, surrogate, keep_state):
        from spikemm.ops import lif_cpu  # numba is loaded by the first neuron that runs on a CPU

        x = _dense(x)
        if v is not None:  # the kernel walks both in the order of memory
            v = torch.empty_like(x[0], dtype=torch.float32).copy_(v)
        ctx.save_for_backward(x, v)
        ctx.rule, ctx.surrogate = rule, surrogate
        threshold = rule.single_step_threshold
        if x.shape[0] == 1 and v is None and not keep_state and _representable(threshold, x.dtype):
            return torch.ge(x, threshold, out=torch.empty_like(x)), None
        s, v_last = lif_cpu.forward(x.float(), v, rule, keep_state)
        return s.to(x.dtype), v_last

    @staticmethod
    def backward(ctx, gs, gv_last):
        from spikemm.ops import lif_cpu

        x, v = ctx.saved_tensors
        want_state = ctx.needs_input_grad[1]
        gx, gv = lif_cpu.backward(x.float(), v, gs, gv_last, ctx.rule, ctx.surrogate, want_state)
        return gx.to(x.dtype), gv, None, None, None


def _representable(threshold: float | None, dtype: torch.dtype) -> bool:
    """Whether comparing with it in ``dtype`` gives the spikes of float32: 1.4 would become 1.3984 in bfloat16."""
    if threshold is None or dtype == torch.float32:
        return threshold is not None
    return torch.tensor(threshold, dtype=dtype).item() == threshold


def _dense(x: Tensor) -> Tensor:
    """``x`` stored without gaps and with time as its slowest axis; the order of the other axes is kept."""
    # Not flatten(0, 1), which copies what it cannot view: the strides to look at are those of x.
    channels_last = x.ndim == 5 and x[0].is_contiguous(memory_format=torch.channels_last)
    if x.is_contiguous() or (channels_last and x.stride(0) == x[0].numel()):
        return x
    return x.contiguous()
