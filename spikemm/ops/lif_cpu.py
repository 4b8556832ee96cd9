"""The LIF step on CPU in one pass over memory, compiled by numba (no C compiler needed).

Plain tensor operations read and write the whole tensor five to ten times a time step. Here a block of neurons stays
in the first-level cache for all ``T`` steps, forward and backward, and the backward recomputes the charged potential
from the input instead of storing it. No ``fastmath``: contracting or reordering would change the last bit, and with it
spikes.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
import torch
from numba import types
from numba.extending import intrinsic
from torch import Tensor

BLOCK = 1024  # neurons kept in the first-level cache: T + 4 float32 rows of 4 KiB
GRAIN = 32768  # neurons below which a second thread costs more than it saves
SIGMOID, ATAN = 0, 1

_f32 = np.float32
_jit = numba.njit(nogil=True, error_model='numpy', cache=True)


@intrinsic
def _float_of_bits(typingctx, bits):
    def codegen(context, builder, signature, args):
        return builder.bitcast(args[0], context.get_value_type(types.float32))

    return types.float32(types.int32), codegen


@_jit
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


@_jit
def _surrogate_grad(z, alpha, kind):
    """Derivative of SpikingJelly's Sigmoid and ATan at ``z``, in the order of its own operations."""
    if kind == SIGMOID:
        e = _exp_negative(-abs(z * alpha))
        return e / ((_f32(1) + e) * (_f32(1) + e)) * alpha
    w = _f32(1.5707963267948966) * alpha * z
    return alpha / _f32(2) / (_f32(1) + w * w)


@_jit
def _charge(x, v, tau, reset, decay_input):
    if decay_input:
        return v + (x - (v - reset)) / tau
    return v - (v - reset) / tau + x


@_jit
def _fill(block, values, start, default):
    """Load a block of ``values``, or the default where there are none."""
    if values.size:
        block[:] = values[start : start + block.size]
    else:
        block[:] = default


@_jit
def _reset(h, fired, threshold, reset, hard):
    if hard:
        return reset if fired else h
    return h - (threshold if fired else _f32(0))


@_jit
def _forward(lo, hi, x, v_first, s, v_last, tau, threshold, reset, hard, decay_input):
    T = x.shape[0]
    v_block = np.empty(BLOCK, np.float32)
    for start in range(lo, hi, BLOCK):
        m = min(BLOCK, hi - start)
        v = v_block[:m]
        _fill(v, v_first, start, reset)
        for t in range(T):
            xt, st = x[t, start : start + m], s[t, start : start + m]
            for i in range(m):
                h = _charge(xt[i], v[i], tau, reset, decay_input)
                fired = h >= threshold
                st[i] = _f32(1) if fired else _f32(0)
                v[i] = _reset(h, fired, threshold, reset, hard)
        if v_last.size:
            v_last[start : start + m] = v


@_jit
def _backward(
    lo, hi, x, v_first, gs, gv_last, gx, gv_first, tau, threshold, reset, hard, decay_input, detach, alpha, kind
):
    T = x.shape[0]
    h_block, v_block, gv_block = np.empty((T, BLOCK), np.float32), np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    keep = _f32(1) - _f32(1) / tau
    gain = _f32(1) / tau if decay_input else _f32(1)
    for start in range(lo, hi, BLOCK):
        m = min(BLOCK, hi - start)
        v, gv = v_block[:m], gv_block[:m]
        _fill(v, v_first, start, reset)
        for t in range(T):
            xt, ht = x[t, start : start + m], h_block[t, :m]
            for i in range(m):
                h = _charge(xt[i], v[i], tau, reset, decay_input)
                ht[i] = h
                v[i] = _reset(h, h >= threshold, threshold, reset, hard)
        _fill(gv, gv_last, start, _f32(0))
        for t in range(T - 1, -1, -1):
            ht, gst, gxt = h_block[t, :m], gs[t, start : start + m], gx[t, start : start + m]
            for i in range(m):
                h, g = ht[i], gv[i]
                through_spike = gst[i]
                if not detach:
                    through_spike += g * ((reset - h) if hard else -threshold)
                kept = _f32(0) if hard and h >= threshold else g
                gh = through_spike * _surrogate_grad(h - threshold, alpha, kind) + kept
                gxt[i] = gh * gain
                gv[i] = gh * keep
        if gv_first.size:
            gv_first[start : start + m] = gv


_pool: ThreadPoolExecutor | None = None


def _forget_pool() -> None:
    global _pool
    _pool = None


os.register_at_fork(after_in_child=_forget_pool)  # a forked data worker has none of its parent's threads


def _parallel(kernel: Callable, n: int, *args) -> None:
    """Run ``kernel(lo, hi, *args)`` over ``n`` neurons on as many threads as torch uses."""
    global _pool
    threads = min(torch.get_num_threads(), max(1, n // GRAIN))
    if threads == 1:
        kernel(0, n, *args)
        return
    if _pool is None:
        _pool = ThreadPoolExecutor(os.cpu_count(), thread_name_prefix='spikemm-lif')
    step = -(-n // threads)
    jobs = [_pool.submit(kernel, lo, min(lo + step, n), *args) for lo in range(step, n, step)]
    kernel(0, step, *args)
    for job in jobs:
        job.result()


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


def _constants(rule: 'Dynamics') -> tuple:
    hard = rule.v_reset is not None
    return _f32(rule.tau), _f32(rule.v_threshold), _f32(rule.v_reset or 0.0), hard, rule.decay_input


def forward(x: Tensor, v_first: Tensor | None, rule: 'Dynamics', keep_state: bool) -> tuple[Tensor, Tensor | None]:
    """Spikes ``[T, ...]`` of a dense float32 ``x``, and the last potential if ``keep_state``."""
    T = x.shape[0]
    s = torch.empty_like(x)
    v_last = torch.empty_like(x[0]) if keep_state else None
    n = x.numel() // T
    _parallel(_forward, n, _rows(x, T), _rows(v_first), _rows(s, T), _rows(v_last), *_constants(rule))
    return s, v_last


def backward(
    x: Tensor,
    v_first: Tensor | None,
    gs: Tensor,
    gv_last: Tensor | None,
    rule: 'Dynamics',
    surrogate: tuple[int, float],
    want_state: bool,
) -> tuple[Tensor, Tensor | None]:
    """Gradients to ``x`` and, if ``want_state``, to ``v_first``."""
    T = x.shape[0]
    gs = _same_layout(gs, x)
    gv_last = None if gv_last is None else _same_layout(gv_last, x[0])
    gx = torch.empty_like(x)
    gv_first = torch.empty_like(x[0]) if want_state else None
    kind, alpha = surrogate
    arrays = (_rows(x, T), _rows(v_first), _rows(gs, T), _rows(gv_last), _rows(gx, T), _rows(gv_first))
    _parallel(_backward, x.numel() // T, *arrays, *_constants(rule), rule.detach_reset, _f32(alpha), kind)
    return gx, gv_first
