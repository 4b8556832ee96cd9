"""Count the operations that really happen in a forward pass, layer by layer."""

import functools
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from math import prod

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from spikemm.ops.spike_count import LARGEST_INTEGER, Places, SpikeCount, fire_count, spike_count

from .counts import Counts, NeuronCount, Unknown, stage_of
from .operations import (
    ATTENTION,
    CONVOLUTIONS,
    DEFORMABLE,
    PRODUCTS,
    LayerNames,
    category_of,
    operator_name,
    storage,
    tensors_in,
)
from .tally import SPIKES, Call, Layer, add_steps

__all__ = ['LARGEST_INTEGER', 'OperationCounter']


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
    are shared out evenly (or, if the batch size divides their number, in their order): for their spread, count with a
    batch size of 1. Totals do not depend on the batch size.

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
        self.layers: dict[str, Layer] = {}
        self.neurons: dict[str, _Neuron] = {}
        self.unknown: dict[tuple[str, str], None] = {}  # in order
        self.elementwise: Counter[str] = Counter()
        self.total_samples = 0
        self.T = 1

    def __enter__(self) -> 'OperationCounter':
        if self.model.training:
            raise ValueError('model must be in evaluation mode to be counted: call model.eval() first.')
        self.names.__enter__()
        self.mode.__enter__()
        return self

    def __exit__(self, *error) -> None:
        self.mode.__exit__(*error)
        self.names.__exit__(*error)

    def counts(self) -> Counts:
        """What was counted so far, of one sample.

        Raises:
            RuntimeError: No forward pass of the model was seen.
        """
        n = self.total_samples
        if not n:
            raise RuntimeError('No forward pass was counted: within the `with`, call the model that the counter got.')
        spiking = bool(self.neurons)
        layers = [layer.count(name, n, spiking) for name, layer in self.layers.items()]
        macs, acs = sum((operations for _, operations in layers), np.zeros((2, n))).tolist()
        return Counts(
            layers=[layer for layer, _ in layers],
            neurons=[_neuron_count(name, neuron, n) for name, neuron in self.neurons.items()],
            unknown=[Unknown(*key) for key in self.unknown],
            elementwise={key: total / n for key, total in sorted(self.elementwise.items())},
            T=self.T,
            parameters=sum(p.numel() for p in self.model.parameters()),
            sample_macs=macs,
            sample_acs=acs)

    def _start(self, args: tuple, kwargs: dict) -> None:
        self.batch = self.samples(args, kwargs)
        self.data = {storage(x): x for x in tensors_in(args, kwargs)}  # kept, or their memory might be used again
        self.steps = 1
        self.calls: list[Call] = []
        self.used: set[str] = set()
        self.fired: Counter[str] = Counter()  # calls of neurons
        self.looped = 1  # time steps, if a neuron is called once for each

    def _fire(self, name: str, module: nn.Module, spikes: Tensor) -> None:
        self.fired[name] += 1
        if not spikes.numel():  # a head of regions, where an image has none
            return
        at = 0
        if getattr(module, 'step_mode', 'm') == 's':
            spikes, at = spikes[None], self.fired[name] - 1
        steps = len(spikes)
        self.steps, self.looped = max(self.steps, steps), max(self.looped, at + 1)
        self.elementwise['neuron'] += spikes.numel()
        neuron = self.neurons.setdefault(name, _Neuron(type(module).__name__))
        with _unseen():
            sums, largest = fire_count(spikes)
        sites = spikes.numel() // steps
        channels = sums.any(0)
        neuron.neurons += 0 if at else sites
        of_steps = np.stack([sums.sum(1, dtype=np.float64), np.full(steps, sites)])
        neuron.sums = add_steps(neuron.sums, of_steps, at)
        neuron.channels = channels if neuron.channels is None else neuron.channels | channels
        neuron.largest = max(neuron.largest, largest)

    def _end(self) -> None:
        by_name: dict[str, list[Call]] = {}
        for call in self.calls:
            by_name.setdefault(call.name, []).append(call)
        for name, calls in by_name.items():
            layer = self.layers.setdefault(name, Layer(calls[0].type))
            each = len(calls) if len(calls) % self.looped else len(calls) // self.looped  # calls a time step
            for i, call in enumerate(calls):
                layer.add(call, i % each, self._cells(call), self.batch, self.total_samples, i // each)
        self._look_for_unread()
        self.total_samples += self.batch
        self.T = max(self.T, self.steps, self.looped)
        self.data = {}

    def _look_for_unread(self) -> None:
        for name, module in self.names.ran.items():
            unread = [] if any(module.children()) else [
                key for key, parameter in module.named_parameters(recurse=False)
                if parameter.ndim > 1 and not self.used.intersection(self.names.owners(parameter))]
            for key in unread:
                self.unknown[name, f'{type(module).__name__}, no operator of torch read its {key}'] = None

    def _cells(self, call: Call) -> np.ndarray:
        """The sums of a call by the time steps and the samples that its parts belong to, ``[k, steps, n]``."""
        steps, known = _layout(call.sums.shape[1], self.steps, self.batch, call.is_real)
        cells = call.sums.reshape(len(call.sums), steps, self.batch if known else 1, -1)
        return cells[..., 0] if cells.shape[3] == 1 else cells.sum(3)

    def see(self, func: torch._ops.OpOverload, args: tuple, kwargs: dict) -> object:
        """Run an operator, and note what it did."""
        if not self.names.running:
            return func(*args, **kwargs)
        rule, category, name = _known(func)
        if category in ('compare', 'view', 'move') and not self._reads_weights(args):
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
        if inputs and None not in weights:  # weights alone: it could have been done before
            for x in tensors_in(out):
                self.names.derive(x, weights[0])
            return out
        if rule is not None:
            call = rule(self.names, args, kwargs, out)
            call.encoding = not self.fired or any(storage(x) in self.data for x in inputs)
            self.calls.append(call)
            return out
        made = [x for x in tensors_in(out) if x.is_floating_point() or x.is_complex()]
        if not inputs or not made:
            return out
        if category is None:
            self.unknown[next(filter(None, weights), self.names.module), name] = None
        elif category not in ('compare', 'view', 'move'):
            self._see_elementwise(name, category, inputs, made)
        return out

    def _reads_weights(self, args: tuple) -> bool:
        """Whether weights, or what was made of them, may be among arguments; of most operators they are not."""
        first = args[0] if args else None
        if self.names.derived or isinstance(first, Tensor):
            return bool(self.names.derived) or self.names.of_weight(first) is not None
        return any(map(self.names.of_weight, tensors_in(first)))

    def _see_elementwise(self, name: str, category: str, inputs: list[Tensor], made: list[Tensor]) -> None:
        """Spikes that are summed up (SDSA-1 and 2) are a layer; the rest is summed up by category."""
        if name == 'aten.sum' and self.fired and inputs[0].ndim > 3:
            x = inputs[0].flatten(0, 1) if len(inputs[0]) == self.steps else inputs[0]
            count = spike_count(x)
            if count.operand != 'real':
                self.calls.append(Call.of(self.names.of_product(), 'sum', x.numel(), (count, count.values)))
                return
        self.elementwise[category] += max(inputs[0].numel(), made[0].numel())


@functools.cache
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


def _convolution(names: LayerNames, args: tuple, kwargs: dict, out: Tensor) -> Call:
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
    return Call.of(name, 'conv', dense, (count, count.reached * fan_out), bias=bias)


@functools.lru_cache(maxsize=1024)
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


def _product(names: LayerNames, args: tuple, kwargs: dict, out: Tensor) -> Call:
    """``[..., m, k] @ [..., k, n]``, with or without something that it is added to."""
    *added, a, b = [x for x in args if isinstance(x, Tensor)]
    a, b = (a[None] if a.ndim == 1 else a), (b[:, None] if b.ndim == 1 else b)
    (m, k), n = a.shape[-2:], b.shape[-1]
    dense = a.shape[:-2].numel() * m * k * n
    bias = out.numel() if added and names.of_weight(added[0]) else 0
    if owner := names.of_weight(b):
        count = spike_count(a.reshape(-1, k))
        return Call.of(owner, 'linear', dense, (count, count.values * n), bias=bias)
    if owner := names.of_weight(a):
        count = spike_count(b if b.ndim == 3 else b[None])
        return Call.of(owner, 'linear', dense, (count, count.values * m), bias=bias)
    a, b = (x if x.ndim == 3 else x[None] for x in (a, b))
    counts = spike_count(a), spike_count(b)
    call = Call.of(names.of_product(), 'product', dense, *(
        (count, count.values * width) for count, width in zip(counts, (n, m), strict=True)))
    if SPIKES.issuperset(count.operand for count in counts):
        met = (a.ne(0).sum(1, dtype=torch.float64) * b.ne(0).sum(2, dtype=torch.float64)).sum(1)
        call.sums = np.concatenate([call.sums, met.cpu().numpy()[None]])
    return call


def _attention(names: LayerNames, args: tuple, kwargs: dict, out: tuple) -> Call:
    """Softmax attention in one operator, Q ``[B, heads, n, d]``: what the softmax makes are real numbers."""
    q, k, v = args[:3]
    dense = q.shape[:-1].numel() * k.shape[-2] * (q.shape[-1] + v.shape[-1])
    return _real_call(names.of_product(), 'attention', q, dense)


def _deformable(names: LayerNames, args: tuple, kwargs: dict, out: Tensor) -> Call:
    """A convolution of interpolated, so of real, numbers."""
    x, weight = args[:2]
    return _real_call(names.of_weight(weight) or names.of_product(), 'deform_conv', x, out.numel() * weight[0].numel())


def _real_call(name: str, type: str, x: Tensor, dense: float) -> Call:
    nothing = SpikeCount('real', np.full((3, len(x)), np.nan), x[:1].numel(), np.nan)
    return Call.of(name, type, dense, (nothing, nothing.reached))


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


def _neuron_count(name: str, neuron: _Neuron, n: int) -> NeuronCount:
    spikes, sites = neuron.sums
    return NeuronCount(
        name=name, type=neuron.type, stage=stage_of(name), neurons=neuron.neurons / n,
        rate_by_step=(spikes / sites).tolist(), channels=neuron.channels.size,
        silent_channels=int((~neuron.channels).sum()), largest=neuron.largest)
