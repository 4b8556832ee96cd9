"""Count the operations that really happen in a forward pass, layer by layer."""

from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cache, lru_cache
from math import prod

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from spikemm.ops.spike_count import LARGEST_INTEGER, Places, SpikeCount, fire_count, spike_count

from .counts import OPERANDS, Counts, LayerCount, NeuronCount, Unknown, stage_of
from .operations import (
    ATTENTION,
    CONVOLUTIONS,
    DEFORMABLE,
    PRODUCTS,
    LayerNames,
    category_of,
    operator_name,
    tensors_in,
)

__all__ = ['LARGEST_INTEGER', 'OperationCounter']


@dataclass
class _Call:
    """A weight layer or product that ran."""

    name: str
    type: str
    operand: str
    dense: float
    sums: np.ndarray  # of each of the N parts of what it read, [3, N]: numbers not 0, sizes, accumulates
    numel: int  # of one part
    bias: float = 0.0
    other_rate: float | None = None
    encoding: bool = False


@dataclass
class _Layer:
    """What is known of a layer after some samples."""

    type: str
    operand: str = OPERANDS[0]
    encoding: bool = False
    dense: float = 0.0
    bias: float = 0.0
    sums: np.ndarray = field(default_factory=lambda: np.zeros((4, 0)))  # of a step: as of a call, and numbers read
    other_rates: list[float] = field(default_factory=list)
    samples: list[tuple[int, np.ndarray]] = field(default_factory=list)  # the first's number, [2, n]: macs, acs

    def of_samples(self, n: int) -> np.ndarray:
        """Multiply-accumulates and accumulates of ``n`` samples, ``[2, n]``."""
        totals = np.zeros((2, n))
        for start, values in self.samples:
            totals[:, start:start + values.shape[1]] += values
        return totals


@dataclass
class _Neuron:
    type: str
    neurons: float = 0.0
    sums: np.ndarray = field(default_factory=lambda: np.zeros((2, 0)))  # of a step: spikes, neurons
    channels: np.ndarray | None = None  # which ever fired
    largest: float = 0.0


class OperationCounter:
    """Within a ``with``, count what the forward passes of a model compute.

    Every operator that torch runs is seen, so layers need not be of known types: convolutions, matrix products and
    attention are counted one by one, operators that move, compare, add or multiply numbers are summed up apart, and an
    operator that nobody knows is listed by name; a layer written as elementwise products and sums is among those summed
    up, and one that computes outside of torch is listed if it has weights. A weight layer reads spikes or integers,
    which cost an accumulate for each weight they reach (borders, strides, dilations and groups exact), or real numbers,
    which cost a multiply-accumulate for each weight, as FLOP counters count them. Norms that were not folded, pooling,
    sums of membrane potentials and the neurons' updates are part of neither.

    Which sample caused how much is known where the parts of an input belong to samples; regions of interest do not, and
    are shared out evenly: for their spread, count with a batch size of 1.

    Args:
        model: The model, in evaluation mode: a batch norm that takes the statistics of its batch would make a sample's
            count depend on its neighbours. Inputs are batches ``[B, ...]``, sequences ``[T, B, ...]`` (5D), or what
            mmengine's models take.
        samples: Tells from the positional and the keyword arguments of a forward pass how many samples it has, where
            the shape of the first tensor does not.

    Raises:
        ValueError: ``model`` is in training mode.

    Example::

        with torch.no_grad(), OperationCounter(model) as counter:
            for data in loader:
                model.test_step(data)
        print(counter.counts().acs)
    """

    def __init__(self, model: nn.Module, samples: Callable[[tuple, dict], int] | None = None) -> None:
        self.model = model
        self.samples = samples or count_samples
        self.names = LayerNames(model, self._start, self._end, self._fire)
        self.mode = _Mode(self)
        self.layers: dict[str, _Layer] = {}
        self.neurons: dict[str, _Neuron] = {}
        self.unknown: dict[tuple[str, str], None] = {}  # in order
        self.elementwise: Counter[str] = Counter()
        self.total_samples = 0
        self.T = 1

    def __enter__(self) -> 'OperationCounter':
        if self.model.training:
            raise ValueError('model must be in evaluation mode to be counted: call model.eval() first.')
        self.fast_path = torch.backends.mha.get_fastpath_enabled()
        torch.backends.mha.set_fastpath_enabled(False)  # of attention, one operator that hides its products
        self.names.__enter__()
        self.mode.__enter__()
        return self

    def __exit__(self, *error) -> None:
        self.mode.__exit__(*error)
        self.names.__exit__(*error)
        torch.backends.mha.set_fastpath_enabled(self.fast_path)

    def counts(self) -> Counts:
        """What was counted so far, of one sample.

        Raises:
            RuntimeError: No forward pass of the model was seen.
        """
        n = self.total_samples
        if not n:
            raise RuntimeError('No forward pass was counted: within the `with`, call the model that the counter got.')
        of_samples = {name: layer.of_samples(n) for name, layer in self.layers.items()}
        macs, acs = sum(of_samples.values(), np.zeros((2, n))).tolist()
        spiking = bool(self.neurons)
        return Counts(
            layers=[_layer_count(name, layer, of_samples[name], spiking) for name, layer in self.layers.items()],
            neurons=[_neuron_count(name, neuron, n) for name, neuron in self.neurons.items()],
            unknown=[Unknown(*key) for key in self.unknown],
            elementwise={key: total / n for key, total in sorted(self.elementwise.items())},
            T=self.T,
            parameters=sum(p.numel() for p in self.model.parameters()),
            sample_macs=macs,
            sample_acs=acs)

    def _start(self, args: tuple, kwargs: dict) -> None:
        self.batch = self.samples(args, kwargs)
        self.steps = 1
        self.calls: list[_Call] = []
        self.used: set[str] = set()
        self.has_fired = False

    def _fire(self, name: str, module: nn.Module, spikes: Tensor) -> None:
        self.has_fired = True
        if not spikes.numel():  # a head of regions, where an image has none
            return
        if getattr(module, 'step_mode', 'm') == 's':
            spikes = spikes[None]
        steps = len(spikes)
        self.steps = max(self.steps, steps)
        self.elementwise['neuron'] += spikes.numel()
        neuron = self.neurons.setdefault(name, _Neuron(type(module).__name__))
        with _unseen():
            sums, largest = fire_count(spikes)
        sites = spikes.numel() // steps
        channels = sums.any(0)
        neuron.neurons += sites
        neuron.sums = _add(neuron.sums, np.stack([sums.sum(1, dtype=np.float64), np.full(steps, sites)]))
        neuron.channels = channels if neuron.channels is None else neuron.channels | channels
        neuron.largest = max(neuron.largest, largest)

    def _end(self) -> None:
        for call in self.calls:
            self._share_out(call, self.layers.setdefault(call.name, _Layer(call.type)))
        for name, module in self.names.ran.items():
            unread = [] if any(module.children()) else [
                key for key, parameter in module.named_parameters(recurse=False)
                if parameter.ndim > 1 and not self.used.intersection(self.names.owners(parameter))]
            for key in unread:
                self.unknown[name, f'{type(module).__name__}, no operator of torch read its {key}'] = None
        self.total_samples += self.batch
        self.T = max(self.T, self.steps)

    def _share_out(self, call: _Call, layer: _Layer) -> None:
        """Add a call to its layer, its parts to time steps and samples."""
        real = call.operand == 'real'
        layer.operand = max(layer.operand, call.operand, key=OPERANDS.index)
        layer.encoding |= call.encoding
        layer.dense += call.dense
        layer.bias += call.bias
        if call.other_rate is not None:
            layer.other_rates.append(call.other_rate)
        parts = call.sums.shape[1]
        steps, known = _layout(parts, self.steps, self.batch, real)
        sums = call.sums.reshape(3, steps, self.batch if known else 1, -1).sum(3)
        of_steps = sums.sum(2)
        layer.sums = _add(layer.sums, np.concatenate([of_steps, np.full((1, steps), call.numel * parts / steps)]))
        of_samples = sums[2].sum(0) if known else np.full(self.batch, sums[2].sum() / self.batch)
        macs = np.full(self.batch, real * call.dense / self.batch)
        layer.samples.append((self.total_samples, np.stack([macs, of_samples])))

    def see(self, func: torch._ops.OpOverload, args: tuple, kwargs: dict) -> object:
        """Run an operator, and note what it did."""
        if not self.names.running:
            return func(*args, **kwargs)
        rule, category, name = _known(func)
        if category == 'compare' or (category in ('view', 'move') and not self._reads_weights(args)):
            return func(*args, **kwargs)
        if rule is None and category is None and func.namespace == 'aten':
            with self.mode:
                out = func.decompose(*args, **kwargs)
            if out is not NotImplemented:
                return out
        out = func(*args, **kwargs)
        if category == 'norm':
            self.elementwise['norm'] += args[0].numel()
            return out
        inputs = list(tensors_in(args, kwargs))
        weights = [self.names.of_weight(x) for x in inputs]
        if category != 'view':
            self.used.update(weights)
        if rule is not None:
            call = rule(self.names, args, kwargs, out)
            if call is not None:
                call.encoding = not self.has_fired
                self.calls.append(call)
            return out
        made = [x for x in tensors_in(out) if x.is_floating_point() or x.is_complex()]
        if not inputs or not made:
            return out
        if None not in weights:  # weights alone: it could have been done before
            for x in made:
                self.names.derive(x, weights[0])
        elif category is None:
            self.unknown[self.names.module, name] = None
        elif category not in ('view', 'move'):
            self._see_elementwise(name, category, inputs, made)
        return out

    def _reads_weights(self, args: tuple) -> bool:
        """Whether weights, or what was made of them, may be among arguments; of most operators they are not."""
        first = args[0] if args else None
        return bool(self.names.derived) or isinstance(first, nn.Parameter) or (
            isinstance(first, list | tuple) and any(map(self.names.of_weight, tensors_in(first))))

    def _see_elementwise(self, name: str, category: str, inputs: list[Tensor], made: list[Tensor]) -> None:
        """Spikes that are summed up (SDSA-1 and 2) are a layer; the rest is summed up by category."""
        if name == 'aten.sum' and self.has_fired and inputs[0].ndim > 3:
            x = inputs[0].flatten(0, 1) if len(inputs[0]) == self.steps else inputs[0]
            count = spike_count(x)
            if count.operand != 'real':
                self.calls.append(_call(self.names.of_product(), 'sum', count, x.numel(), count.values))
                return
        self.elementwise[category] += max(inputs[0].numel(), made[0].numel())


@cache
def _known(func: torch._ops.OpOverload) -> tuple[Callable | None, str | None, str]:
    """The rule of an operator, what it does else, and its name."""
    name = operator_name(func)
    return _RULES.get(name), 'view' if func.is_view else category_of(func), name


def _unseen() -> AbstractContextManager:
    """Operators within are shown to no mode."""
    return torch._C._ExcludeDispatchKeyGuard(torch._C.DispatchKeySet(torch._C.DispatchKey.Python))


class _Mode(TorchDispatchMode):
    """Shows a counter every operator. The counter is no mode itself, which would be entered for what it decomposes."""

    def __init__(self, counter: OperationCounter) -> None:
        super().__init__()
        self.counter = counter

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # it would wrap every call

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return self.counter.see(func, args, kwargs or {})


def count_samples(args: tuple, kwargs: dict) -> int:
    """Samples in a batch ``[B, ...]`` or, 5D, ``[T, B, ...]``, the first tensor among the arguments."""
    first = next(tensors_in(args, kwargs), None)
    if first is None or not first.ndim:
        raise ValueError('The model must get its batch as a tensor to be counted, but got none; '
                         'OperationCounter(samples=...) can tell how many samples there are.')
    return first.shape[1] if first.ndim == 5 else first.shape[0]


def _call(name: str, type: str, count: SpikeCount, dense: float, acs: np.ndarray, **kwargs) -> _Call:
    acs = acs if count.operand != 'real' else np.zeros_like(acs)
    return _Call(name, type, count.operand, dense, np.stack([*count.sums[:2], acs]), count.numel, **kwargs)


def _convolution(names: LayerNames, args: tuple, kwargs: dict, out: Tensor) -> _Call:
    x, weight, bias, stride, padding, dilation, transposed, _, groups = args[:9]
    size, kernel = x.shape[2:], weight.shape[2:]
    dense = x.shape[0] * prod((x if transposed else out).shape[2:]) * weight.numel()
    fan_out = weight.shape[1] if transposed else weight.shape[0] // groups
    places = None
    if prod(kernel) > 1 or max(stride) > 1 or max(padding) > 0:
        places = _places(*map(tuple, (size, out.shape[2:], kernel, stride, padding, dilation)), transposed)
    count = spike_count(x, places)
    name = names.of_weight(weight) or names.of_product()
    bias = 0 if bias is None else out.numel()
    return _call(name, 'conv', count, dense, count.reached * fan_out, bias=bias)


@lru_cache(maxsize=1024)
def _places(size: tuple[int, ...], out: tuple[int, ...], kernel: tuple[int, ...], *settings) -> Places:
    """How many weights of a convolution each place of its input reaches, for one output channel."""
    *settings, transposed = settings
    weights = np.ones(())
    for axis in zip(size, out, kernel, *(v * len(size) if len(v) == 1 else v for v in settings), strict=True):
        weights = weights[..., None] * _reached(*axis, transposed)
    return Places(weights.astype(np.float32), bool((weights == weights.flat[0]).all()))


def _reached(
    size: int, out: int, kernel: int, stride: int, padding: int, dilation: int, transposed: bool
) -> np.ndarray:
    """The same along one axis: fewer at the border, and where a stride passes over a place."""
    here, there = (size, out) if transposed else (out, size)
    taps = np.arange(here)[:, None] * stride - padding + np.arange(kernel) * dilation  # [here, kernel] -> place there
    inside = (taps >= 0) & (taps < there)
    if transposed:
        return inside.sum(1)
    return np.bincount(taps[inside], minlength=size)


def _product(names: LayerNames, args: tuple, kwargs: dict, out: Tensor) -> _Call | None:
    """``[..., m, k] @ [..., k, n]``, with or without something that it is added to."""
    *added, a, b = [x for x in args if isinstance(x, Tensor)]
    a, b = (a[None] if a.ndim == 1 else a), (b[:, None] if b.ndim == 1 else b)
    (m, k), n = a.shape[-2:], b.shape[-1]
    dense = a.shape[:-2].numel() * m * k * n
    owner_a, owner_b = names.of_weight(a), names.of_weight(b)
    if owner_a and owner_b:
        return None  # weights alone: it could have been done before
    bias = out.numel() if added and names.of_weight(added[0]) else 0
    if owner_b:
        count = spike_count(a.reshape(-1, k))
        return _call(owner_b, 'linear', count, dense, count.values * n, bias=bias)
    if owner_a:
        count = spike_count(b if b.ndim == 3 else b[None])
        return _call(owner_a, 'linear', count, dense, count.values * m, bias=bias)
    a, b = (x if x.ndim == 3 else x[None] for x in (a, b))
    return _product_of_activations(names.of_product(), a, b, dense)


def _product_of_activations(name: str, a: Tensor, b: Tensor, dense: float) -> _Call:
    """Spikes on both sides cost where they meet, on one side what they reach on the other."""
    counts = spike_count(a), spike_count(b)
    acs = counts[0].values * b.shape[2], counts[1].values * a.shape[1]
    ranks = [(OPERANDS.index(count.operand), cost.sum()) for count, cost in zip(counts, acs, strict=True)]
    cheap = ranks.index(min(ranks))
    cost, other = acs[cheap], counts[1 - cheap]
    if max(ranks)[0] <= OPERANDS.index('scaled'):
        cost = (a.ne(0).sum(1, dtype=torch.float64) * b.ne(0).sum(2, dtype=torch.float64)).sum(1).cpu().numpy()
    other_rate = float(other.values.sum() / max(1, other.numel * len(other.values)))
    return _call(name, 'product', counts[cheap], dense, cost, other_rate=other_rate)


def _attention(names: LayerNames, args: tuple, kwargs: dict, out: tuple) -> _Call:
    """Softmax attention in one operator, Q ``[B, heads, n, d]``: what the softmax makes are real numbers."""
    q, k, v = args[:3]
    dense = q.shape[:-1].numel() * k.shape[-2] * (q.shape[-1] + v.shape[-1])
    return _real_call(names.of_product(), 'attention', q, dense)


def _deformable(names: LayerNames, args: tuple, kwargs: dict, out: Tensor) -> _Call:
    """A convolution of interpolated, so of real, numbers."""
    x, weight = args[:2]
    return _real_call(names.of_weight(weight) or names.of_product(), 'deform_conv', x, out.numel() * weight[0].numel())


def _real_call(name: str, type: str, x: Tensor, dense: float) -> _Call:
    return _call(name, type, spike_count(x)._replace(operand='real'), dense, np.zeros(len(x)))


_RULES = {
    **dict.fromkeys(CONVOLUTIONS, _convolution), **dict.fromkeys(PRODUCTS, _product),
    **dict.fromkeys(ATTENTION, _attention), **dict.fromkeys(DEFORMABLE, _deformable)}


def _layout(parts: int, steps: int, batch: int, real: bool) -> tuple[int, bool]:
    """Steps that the parts of an input belong to, the slower axis, and whether each belongs to a sample.

    Parts may be steps x samples x tokens or heads. Real numbers behind the last neuron have no steps any more.
    """
    if parts == steps * batch or (not real and parts % (steps * batch) == 0):
        return steps, True
    if parts % batch == 0:
        return 1, True
    return (steps, False) if not real and parts % steps == 0 else (1, False)


def _add(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Sum of two arrays of which one may have more steps, the last axis."""
    total = np.zeros((len(a), max(a.shape[1], b.shape[1])))
    total[:, :a.shape[1]] += a
    total[:, :b.shape[1]] += b
    return total


def _layer_count(name: str, layer: _Layer, of_samples: np.ndarray, spiking: bool) -> LayerCount:
    n = of_samples.shape[1]
    nonzero, values, acs, numel = layer.sums
    with np.errstate(invalid='ignore'):  # nothing was read, by a head of regions without any
        rates = [*(values / numel), values.sum() / numel.sum(), nonzero.sum() / numel.sum()]
    *by_step, rate, density = [None if np.isnan(r) else float(r) for r in rates]
    return LayerCount(
        name=name, type=layer.type, stage=stage_of(name), operand=layer.operand, encoding=spiking and layer.encoding,
        steps=len(acs), dense=layer.dense / n, macs=of_samples[0].sum() / n, acs=of_samples[1].sum() / n,
        bias=layer.bias / n, acs_by_step=(acs / n).tolist(), spread=float(of_samples.sum(0).std()),
        rate=rate, density=density, rate_by_step=by_step,
        other_rate=_mean(layer.other_rates))


def _mean(values: list[float]) -> float | None:
    return None if not values or np.isnan(values).any() else float(np.mean(values))


def _neuron_count(name: str, neuron: _Neuron, n: int) -> NeuronCount:
    spikes, sites = neuron.sums
    return NeuronCount(
        name=name, type=neuron.type, stage=stage_of(name), neurons=neuron.neurons / n,
        rate_by_step=(spikes / sites).tolist(), channels=neuron.channels.size,
        silent_channels=int((~neuron.channels).sum()), largest=neuron.largest)
