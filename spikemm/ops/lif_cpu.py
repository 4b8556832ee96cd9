"""The LIF step on CPU in one pass over memory, compiled by numba (no C compiler needed).

Plain tensor operations read and write the whole tensor five to ten times a time step. Here a block of neurons stays
in the first-level cache for all ``T`` steps, forward and backward, and the backward recomputes the charged potential
from the input instead of storing it. No ``fastmath``: contracting or reordering would change the last bit, and with it
spikes.
"""


import math

import numba
import numpy as np
import torch
from numba import types
from numba.extending import intrinsic
from torch import Tensor

from .dynamics import Dynamics
from .threads import parallel_for

BLOCK = 2048  # neurons kept in the first-level cache: T + 4 float32 rows of 8 KiB
SIGMOID, ATAN, RECT = 0, 1, 2

_f32 = np.float32
_jit = numba.njit(nogil=True, error_model='numpy', cache=True)
_jit_fused = numba.njit(nogil=True, error_model='numpy', cache=True, fastmath={'contract'})  # multiply-add in one


@intrinsic
def _float_of_bits(typingctx, bits):
    def codegen(context, builder, signature, args):
        return builder.bitcast(args[0], context.get_value_type(types.float32))

    return types.float32(types.int32), codegen


@_jit_fused
def _exp_negative(x):
    """exp(x) of a float32 x <= 0 to 2 ulp, without a branch, so that the loop around it becomes vector instructions."""
    x = max(x, _f32(-87.0))
    k = np.floor(x * _f32(1.4426950408889634) + _f32(0.5))
    r = (x - k * _f32(0.693359375)) - k * _f32(-2.12194440e-4)  # ln 2 in two parts (Cody and Waite)
    p = _f32(1.9875691500e-4)
    p = p * r + _f32(1.3981999507e-3)
    p = p * r + _f32(8.3334519073e-3)
    p = p * r + _f32(4.1665795894e-2)
    p = p * r + _f32(1.6666665459e-1)
    p = p * r + _f32(5.0000001201e-1)
    p = p * r * r + r + _f32(1.0)
    return p * _float_of_bits((np.int32(k) + np.int32(127)) << np.int32(23))


@_jit_fused
def _surrogate_slope(h, slope, threshold, alpha, kind):
    """Derivative of SpikingJelly's Sigmoid, ATan or Rect at ``h - threshold``, for a block."""
    if kind == SIGMOID:
        for i in range(h.size):
            e = _exp_negative(-abs((h[i] - threshold) * alpha))
            slope[i] = e / ((_f32(1) + e) * (_f32(1) + e)) * alpha
    elif kind == ATAN:
        steepness = _f32(1.5707963267948966) * alpha
        for i in range(h.size):
            z = steepness * (h[i] - threshold)
            slope[i] = alpha / _f32(2) / (_f32(1) + z * z)
    else:
        for i in range(h.size):
            slope[i] = alpha if abs(h[i] - threshold) < _f32(0.5) / alpha else _f32(0)


# The loops below are as many as the rule has cases: a case decided inside a loop keeps it from becoming vector code.


@_jit
def _charge(x, v, h, tau, reset, decay_input, exact):
    """``exact``: tau is a power of two, so that multiplying by 1 / tau, which is faster, is dividing by it."""
    rate = _f32(1) / tau
    if decay_input and exact:
        for i in range(x.size):
            h[i] = v[i] + (x[i] - (v[i] - reset)) * rate
    elif decay_input:
        for i in range(x.size):
            h[i] = v[i] + (x[i] - (v[i] - reset)) / tau
    else:
        for i in range(x.size):
            h[i] = v[i] - (v[i] - reset) / tau + x[i]


@_jit
def _reset(h, v, threshold, reset, hard):
    if hard:
        for i in range(h.size):
            v[i] = reset if h[i] >= threshold else h[i]
    else:
        for i in range(h.size):
            v[i] = h[i] - (threshold if h[i] >= threshold else _f32(0))


@_jit
def _fire(h, s, threshold):
    for i in range(h.size):
        s[i] = _f32(1) if h[i] >= threshold else _f32(0)


@_jit
def _fill(block, values, start, default):
    """Load a block of ``values``, or the default where there are none."""
    if values.size:
        block[:] = values[start : start + block.size]
    else:
        block[:] = default


@_jit
def _forward(lo, hi, x, v_first, s, v_last, tau, threshold, reset, hard, decay_input, exact):
    h_block, v_block = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    for start in range(lo, hi, BLOCK):
        stop = min(start + BLOCK, hi)
        h, v = h_block[: stop - start], v_block[: stop - start]
        _fill(v, v_first, start, reset)
        for t in range(x.shape[0]):
            _charge(x[t, start:stop], v, h, tau, reset, decay_input, exact)
            _fire(h, s[t, start:stop], threshold)
            _reset(h, v, threshold, reset, hard)
        if v_last.size:
            v_last[start:stop] = v


@_jit
def _through_spike(slope, g, gv, h, threshold, reset, hard, detach):
    """``slope`` times the gradient of the spike; that of the reset, which reads the spike, joins unless detached."""
    if detach:
        for i in range(h.size):
            slope[i] *= g[i]
    elif hard:
        for i in range(h.size):
            slope[i] *= g[i] + gv[i] * (reset - h[i])
    else:
        for i in range(h.size):
            slope[i] *= g[i] - gv[i] * threshold


@_jit
def _through_potential(slope, gv, h, threshold, hard):
    """From the gradient of v[t] to that of h[t], in place."""
    if hard:
        for i in range(h.size):
            gv[i] = slope[i] + (_f32(0) if h[i] >= threshold else gv[i])
    else:
        for i in range(h.size):
            gv[i] += slope[i]


@_jit
def _to_input(gv, gx, gain, keep):
    """From the gradient of h[t] to those of x[t] and v[t-1]."""
    for i in range(gv.size):
        gx[i] = gv[i] * gain
        gv[i] *= keep


@_jit
def _hard_detached(slope, g, gv, h, gx, threshold, gain, keep):
    """The three loops above in one, for the case of every published model."""
    for i in range(h.size):
        gh = slope[i] * g[i] + (_f32(0) if h[i] >= threshold else gv[i])
        gx[i] = gh * gain
        gv[i] = gh * keep


@_jit
def _backward(
    lo, hi, x, v_first, gs, gv_last, gx, gv_first,
    tau, threshold, reset, hard, decay_input, exact, detach, alpha, kind,
):
    T = x.shape[0]
    h_block, slope_block = np.empty((T, BLOCK), np.float32), np.empty(BLOCK, np.float32)
    v_block, gv_block = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    keep = _f32(1) - _f32(1) / tau
    gain = _f32(1) / tau if decay_input else _f32(1)
    for start in range(lo, hi, BLOCK):
        stop = min(start + BLOCK, hi)
        m = stop - start
        v, gv, slope = v_block[:m], gv_block[:m], slope_block[:m]
        _fill(v, v_first, start, reset)
        for t in range(T):
            _charge(x[t, start:stop], v, h_block[t, :m], tau, reset, decay_input, exact)
            _reset(h_block[t, :m], v, threshold, reset, hard)
        _fill(gv, gv_last, start, _f32(0))
        for t in range(T - 1, -1, -1):
            h, g = h_block[t, :m], gs[t, start:stop]
            _surrogate_slope(h, slope, threshold, alpha, kind)
            if hard and detach:
                _hard_detached(slope, g, gv, h, gx[t, start:stop], threshold, gain, keep)
            else:
                _through_spike(slope, g, gv, h, threshold, reset, hard, detach)
                _through_potential(slope, gv, h, threshold, hard)
                _to_input(gv, gx[t, start:stop], gain, keep)
        if gv_first.size:
            gv_first[start:stop] = gv


@_jit_fused
def _backward_single(lo, hi, x, gs, gx, rate, reset, threshold, alpha, kind):
    """One step from rest: the potential is ``reset + rate * x``, and no reset follows that a gradient could meet."""
    x, gs, gx = x[0, lo:hi], gs[0, lo:hi], gx[0, lo:hi]
    if kind == SIGMOID:
        for i in range(x.size):
            e = _exp_negative(-abs((reset + rate * x[i] - threshold) * alpha))
            gx[i] = gs[i] * (e / ((_f32(1) + e) * (_f32(1) + e)) * (alpha * rate))
    elif kind == ATAN:
        steepness = _f32(1.5707963267948966) * alpha
        for i in range(x.size):
            z = steepness * (reset + rate * x[i] - threshold)
            gx[i] = gs[i] * (alpha * rate / _f32(2) / (_f32(1) + z * z))
    else:
        for i in range(x.size):
            inside = abs(reset + rate * x[i] - threshold) < _f32(0.5) / alpha
            gx[i] = gs[i] * (alpha * rate if inside else _f32(0))


_nothing = np.empty(0, np.float32)


def _rows(x: Tensor | None, T: int = 0) -> np.ndarray:
    """A dense tensor's memory as numpy ``[T, n]`` (``[n]`` without T), in the order in which it is stored."""
    if x is None:
        return _nothing
    shape, stride = ((T, x.numel() // T), (x.numel() // T, 1)) if T else ((x.numel(),), (1,))
    return x.detach().as_strided(shape, stride).numpy()


def _same_layout(y: Tensor, x: Tensor) -> Tensor:
    """``y`` as float32, stored in the order of ``x``."""
    if y.dtype == torch.float32 and y.stride() == x.stride():
        return y
    return torch.empty_like(x, dtype=torch.float32).copy_(y)


def _constants(rule: Dynamics) -> tuple:
    hard = rule.v_reset is not None
    exact = math.frexp(rule.tau)[0] == 0.5
    return _f32(rule.tau), _f32(rule.v_threshold), _f32(rule.v_reset or 0.0), hard, rule.decay_input, exact


def forward_(x: Tensor, rule: Dynamics) -> Tensor:
    """The spikes of a dense float32 ``x`` ``[T, ...]`` from rest, in its place."""
    T, threshold = x.shape[0], rule.single_step_threshold
    if T == 1 and threshold is not None:
        return x.ge_(threshold)
    parallel_for(_forward, x.numel() // T, _rows(x, T), _nothing, _rows(x, T), _nothing, *_constants(rule))
    return x


def forward(x: Tensor, v_first: Tensor | None, rule: Dynamics, keep_state: bool) -> tuple[Tensor, Tensor | None]:
    """Spikes ``[T, ...]`` of a dense float32 ``x``, and the last potential if ``keep_state``."""
    T = x.shape[0]
    s = torch.empty_like(x)
    v_last = torch.empty_like(x[0]) if keep_state else None
    n = x.numel() // T
    parallel_for(_forward, n, _rows(x, T), _rows(v_first), _rows(s, T), _rows(v_last), *_constants(rule))
    return s, v_last


def backward(
    x: Tensor,
    v_first: Tensor | None,
    gs: Tensor,
    gv_last: Tensor | None,
    rule: Dynamics,
    surrogate: tuple[int, float],
    want_state: bool,
) -> tuple[Tensor, Tensor | None]:
    """Gradients to ``x`` and, if ``want_state``, to ``v_first``."""
    T = x.shape[0]
    gs = _same_layout(gs, x)
    gx = torch.empty_like(x)
    if T == 1 and v_first is None and gv_last is None:
        rate = _f32(1.0 / rule.tau if rule.decay_input else 1.0)
        constants = (rate, _f32(rule.v_reset or 0.0), _f32(rule.v_threshold), _f32(surrogate[1]), surrogate[0])
        parallel_for(_backward_single, x.numel(), _rows(x, 1), _rows(gs, 1), _rows(gx, 1), *constants)
        return gx, None
    gv_last = None if gv_last is None else _same_layout(gv_last, x[0])
    gv_first = torch.empty_like(x[0]) if want_state else None
    kind, alpha = surrogate
    arrays = (_rows(x, T), _rows(v_first), _rows(gs, T), _rows(gv_last), _rows(gx, T), _rows(gv_first))
    parallel_for(_backward, x.numel() // T, *arrays, *_constants(rule), rule.detach_reset, _f32(alpha), kind)
    return gx, gv_first
