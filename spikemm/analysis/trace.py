"""Where every number of a forward pass comes from: its way back to the neurons that sent it, or to the data."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes

from .counter import LARGEST_INTEGER
from .counts import some
from .operations import (
    ATTENTION,
    AVERAGE,
    COMPARE,
    DEFORMABLE,
    INTERPOLATE,
    MOVE,
    WEIGHTED,
    LayerNames,
    is_neuron,
    operator_name,
    tensors_in,
)

LEVELS = ('spike', 'integer', 'real')  # what a layer reads, up to constant factors that its weights can take up
KINDS = {'silent': 'spike', 'binary': 'spike', 'scaled': 'spike', 'integer': 'integer', 'real': 'real'}
STEPS = 4  # operations that a reason names

BATCH_NORM = {'aten.native_batch_norm', 'aten._native_batch_norm_legit', 'aten._batch_norm_with_update',
              'aten._native_batch_norm_legit_no_training', 'aten.cudnn_batch_norm', 'aten.batch_norm_elemt'}
ROUNDING = {'aten.round', 'aten.floor', 'aten.ceil', 'aten.trunc', 'aten.sign'}
THRESHOLD = 'a comparison'
SUMS = {'aten.sum', 'aten.cumsum', 'aten.index_add', 'aten.scatter_add', 'aten.neg', 'aten.abs'}
NAMES = {  # in a reason; others are called by torch's name
    'aten._softmax': 'softmax', 'aten._safe_softmax': 'softmax', 'aten._log_softmax': 'log-softmax',
    'aten.native_layer_norm': 'layer norm', 'aten.native_group_norm': 'group norm', 'aten.silu': 'SiLU',
    'aten.gelu': 'GELU', 'aten.relu': 'ReLU', 'aten.mean': 'mean', 'aten.upsample_bilinear2d': 'bilinear resizing',
    'aten.upsample_bicubic2d': 'bicubic resizing', 'aten.upsample_linear1d': 'linear resizing',
    'aten.upsample_trilinear3d': 'trilinear resizing', 'torchvision.roi_align': 'RoIAlign', 'aten.sum': 'sum',
    'aten.clamp_min': 'ReLU', 'aten.hardtanh': 'clamp', 'aten.leaky_relu': 'leaky ReLU'}
# Which arguments of an operator are numbers that it hands on; the others say where to, or which.
VALUES = {
    'aten.index': (0,), 'aten._unsafe_index': (0,), 'aten.index_select': (0,), 'aten.gather': (0,), 'aten.take': (0,),
    'aten.index_put': (0, 2), 'aten._index_put_impl': (0, 2), 'aten._unsafe_index_put': (0, 2),
    'aten.index_copy': (0, 3), 'aten.index_add': (0, 3), 'aten.index_fill': (0, 3), 'aten.scatter': (0, 3),
    'aten.scatter_add': (0, 3), 'aten.scatter_reduce': (0, 3), 'aten.where': (1, 2), 'aten.masked_fill': (0, 2),
    'aten.masked_select': (0,), 'aten.masked_scatter': (0, 2), 'aten.grid_sampler_2d': (0,),
    'aten.grid_sampler_3d': (0,), 'torchvision.roi_align': (0,), 'torchvision.ps_roi_align': (0,),
    'torchvision.roi_pool': (0,), 'torchvision.ps_roi_pool': (0,), 'torchvision.nms': ()}
SHAPES = {f'aten.{name}' for name in (  # take the shape of a tensor, and nothing of what is in it
    'new_zeros', 'new_ones', 'new_empty', 'new_full', 'new_empty_strided', 'zeros_like', 'ones_like', 'empty_like',
    'full_like', 'rand_like', 'randn_like', 'randint_like')}
# Comparisons and copies make spikes of spikes. Not these: a slope, and random factors.
FREE = (COMPARE | MOVE) - {'aten.leaky_relu', 'aten.native_dropout'}


@dataclass
class Values:
    """What numbers a tensor, or several, held."""

    low: float = 0.0
    high: float = 0.0
    unit: float | None = 0.0  # the one number that is not 0; 0 if there is none, None if there are several
    whole: bool = True
    empty: bool = True

    @classmethod
    def of(cls, x: Tensor) -> 'Values':
        if not x.numel() or x.is_meta:  # without numbers, provenance alone tells
            return cls()
        x = x.detach().double() if not x.is_complex() else x.abs()
        low, high = (v.item() for v in x.aminmax())
        largest = high if high else low
        several = bool(((x != 0) & (x != largest)).any())
        return cls(low, high, None if several else largest, bool((x == x.round()).all()), empty=False)

    def __or__(self, other: 'Values') -> 'Values':
        if self.empty or other.empty:
            return other if self.empty else self
        units = {self.unit, other.unit} - {0.0}
        unit = units.pop() if len(units) == 1 else None if units else 0.0
        whole = self.whole and other.whole
        return Values(min(self.low, other.low), max(self.high, other.high), unit, whole, empty=False)

    @property
    def kind(self) -> str:
        """'silent', or the kinds of :data:`~spikemm.analysis.counts.OPERANDS`."""
        if self.unit is not None:
            return {0.0: 'silent', 1.0: 'binary'}.get(self.unit, 'scaled')
        return 'integer' if self.whole and max(-self.low, self.high) <= LARGEST_INTEGER else 'real'

    @property
    def level(self) -> str:
        return KINDS[self.kind]

    def __str__(self) -> str:
        if self.empty:
            return 'nothing (it was called for no region)'
        if self.kind == 'silent':
            return 'only 0'
        if self.unit is not None:
            return f'0 and {self.unit:.4g}'
        return f'integers {self.low:.0f} to {self.high:.0f}' if self.kind == 'integer' else (
            f'{self.low:.3g} to {self.high:.3g}')


@dataclass(eq=False)
class Node:
    """How a tensor was made.

    Args:
        level: One of ``LEVELS``, for what a fixed sum of it is worth: the mean of spikes is still 'spike'.
        sources: The layers, neurons or data that sent the numbers it was made of.
        steps: Names of the last operations since.
        constant: Whether those had only constants as factors and summands, so that weights could take them up.
        fired: Whether a neuron is among its ancestors.
        parents: What it was made of.
    """

    level: str
    sources: tuple[str, ...]
    steps: tuple[str, ...] = ()
    constant: bool = True
    fired: bool = False
    parents: tuple['Node', ...] = field(default=(), repr=False)

    def __str__(self) -> str:
        made = 'the data' if self.sources[0] == 'the data' else f'the output of {some(list(self.sources), 3)}'
        return made + (f', then {", ".join(self.steps)}' if self.steps else '')

    def then(self, step: str | None, **changes) -> 'Node':
        """What an operation makes of it."""
        steps = self.steps if step in (None, *self.steps[-1:]) else (*self.steps, step)[-STEPS:]
        return replace(self, steps=steps, parents=(self,), **changes)


@dataclass
class Read:
    """A call of a weight layer: what it read, and what it made."""

    name: str
    type: str
    level: str
    values: Values
    node: Node
    made: Node


@dataclass
class Event:
    """An operation between layers that is worth a word; ``breaks``: it multiplies numbers that all depend on data."""

    name: str
    op: str
    why: str
    breaks: bool
    node: Node


class Trace:
    """Within a ``with``, follow the numbers of a model's forward pass.

    Tensors are known by their memory, so that views have the history of what they view.

    Args:
        model: The model.
    """

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.mode = _Mode(self)
        self.names = LayerNames(model, self._start, lambda: None, self._fire)
        self.reads: list[Read] = []
        self.events: list[Event] = []
        self.fed: list[Node] = []  # what neurons read
        self.neurons: dict[str, Values] = {}
        self.known: dict[int, tuple[StorageWeakRef, Node | None]] = {}

    def __enter__(self) -> 'Trace':
        # Parameters, buffers and the tensors that modules keep as plain attributes.
        self.constants = {x.untyped_storage()._cdata for m in self.model.modules() for x in tensors_in(vars(m))}
        self.inputs: dict[nn.Module, tuple[Node, ...]] = {}
        self.handles = [
            m.register_forward_pre_hook(self._feed) for m in self.model.modules() if is_neuron(type(m))]
        self.names.__enter__()
        self.mode.__enter__()
        return self

    def __exit__(self, *error) -> None:
        self.mode.__exit__(*error)
        self.names.__exit__(*error)
        for handle in self.handles:
            handle.remove()

    # The nodes of tensors.

    def node(self, x: Tensor) -> Node | None:
        """How ``x`` was made; None if no data are in it."""
        key = x.untyped_storage()._cdata
        if key in self.known:
            return self.known[key][1]
        if key in self.constants:
            return None
        return self._set(x, Node('real', ('the data',)))

    def nodes(self, *args) -> list[Node]:
        found = (self.node(x) for x in tensors_in(args))
        return list(dict.fromkeys(node for node in found if node is not None))

    def _set(self, x: Tensor, node: Node | None) -> Node | None:
        if len(self.known) % 1000 == 999:
            self.known = {key: entry for key, entry in self.known.items() if not entry[0].expired()}
        storage = x.untyped_storage()
        self.known[storage._cdata] = StorageWeakRef(storage), node
        return node

    def ancestors(self) -> set[int]:
        """``id`` of every node that a weight layer or a neuron read, directly or not."""
        seen, todo = set(), [*self.fed, *(read.made for read in self.reads)]
        while todo:
            node = todo.pop()
            if id(node) not in seen:
                seen.add(id(node))
                todo.extend(node.parents)
        return seen

    # What LayerNames calls.

    def _start(self, args: tuple, kwargs: dict) -> None:
        for x in tensors_in(args, kwargs):
            self._set(x, Node('real', ('the data',)))

    def _feed(self, module: nn.Module, args: tuple) -> None:
        self.inputs[module] = tuple(self.nodes(args))

    def _fire(self, name: str, module: nn.Module, output) -> None:
        fed = self.inputs.pop(module, ())
        self.fed.extend(fed)
        with _disable_current_modes():
            for x in tensors_in(output):
                values, level = Values.of(x), _level_of(x)
                self.neurons[name] = self.neurons.get(name, Values()) | values
                sends = '' if level == 'spike' else f' ({values})'
                self._set(x, Node(level, (f'neuron {name}{sends}',), fired=True, parents=fed))

    # What torch calls.

    def see(self, func: torch._ops.OpOverload, args: tuple, kwargs: dict) -> object:
        """Run an operator, and note what it made of what."""
        if not self.names.running:
            return func(*args, **kwargs)
        name = operator_name(func)
        if func._can_decompose() and name not in WEIGHTED and torch._C._dispatch_has_kernel_for_dispatch_key(
                func.name(), 'CompositeImplicitAutograd'):  # torch.inference_mode lets these through
            with self.mode:
                out = func.decompose(*args, **kwargs)
            if out is not NotImplemented:
                return out
        inputs = list(tensors_in(args, kwargs))
        before = {x.untyped_storage()._cdata for x in inputs}
        depends = any(self.node(x) is not None for x in inputs)
        writes = func._schema.is_mutable
        old = self.node(inputs[0]) if inputs and writes else None
        out = func(*args, **kwargs)
        results = [x for x in tensors_in(out) if writes or x.untyped_storage()._cdata not in before]
        if results and not func.is_view and torch.Tag.inplace_view not in func.tags:
            node = self._made(func, name, args, kwargs, results[0], old) if depends else None
            for x in results:
                self._set(x, node)
            owners = [] if writes or depends else [self.names.of_weight(x) for x in inputs]
            if owners and None not in owners:
                for x in results:
                    self.names.derive(x, owners[0])
        return out

    def _made(self, func, name: str, args: tuple, kwargs: dict, out: Tensor, old: Node | None) -> Node | None:
        if name in WEIGHTED:
            return self._weighted(name, args, kwargs)
        if name in SHAPES or (name == 'aten.mul' and 0 in [x for x in args if isinstance(x, int | float)]):
            return None
        if name in ('aten.copy', 'aten.fill', 'aten.zero') and func._schema.is_mutable:
            whole = out.numel() * out.element_size() == out.untyped_storage().nbytes()
            parents = self.nodes(args[1:], kwargs) + ([] if whole or old is None else [old])
        elif name in VALUES:
            parents = self.nodes([args[i] for i in VALUES[name] if i < len(args)])
        else:
            parents = self.nodes(args, kwargs)
        if not parents:  # picked by the data, not made of them; what is done with it hardly concerns the network
            fired = any(node.fired for node in self.nodes(args, kwargs))
            return Node('real', (f'a choice by {name}',), fired=fired) if name in VALUES else None
        node = self._step(func, name, args, kwargs, out, parents)
        node.parents = tuple(parents)
        node.fired = any(parent.fired for parent in parents)
        return node

    def _step(self, func, name: str, args: tuple, kwargs: dict, out: Tensor, parents: list[Node]) -> Node:
        if out.dtype == torch.bool or name == 'aten.heaviside':
            return joined(parents, THRESHOLD, level='spike')
        if name in ROUNDING and parents[0].level == 'real':
            return joined(parents, 'rounding', level=max('integer', _level_of(out), key=LEVELS.index))
        if name in ('aten.add', 'aten.sub', 'aten.rsub'):
            return self._added(parents, out)
        if name == 'aten.mul' or (name == 'aten.div' and not self.nodes(args[1:])):
            return self._multiplied(name, args, parents)
        if name == 'aten.constant_pad_nd':
            return self._added(parents, out) if kwargs.get('value', args[2] if len(args) > 2 else 0) else parents[0]
        if name in BATCH_NORM:
            return self._normed(func, name, args, kwargs, parents[0])
        if name in SUMS:
            return joined(parents, name.split('.')[-1])
        if name in AVERAGE:
            word = NAMES.get(name, 'average pool')
            what = 'spikes: the next layer' if parents[0].level != 'real' else 'potentials: weights or a threshold'
            return self._note(name, f'{word} of {what} can take up its constant factor', joined(parents, word))
        if name in INTERPOLATE:
            return self._interpolated(name, args, parents)
        if name in FREE:
            return joined(parents, NAMES.get(name), constant=name in MOVE and parents[0].constant)
        word = _word(name)
        node = joined(parents, word, level='real', constant=False)
        if out.is_floating_point():
            self._note(name, f'{word} of {parents[0]}: no addition of weights', node, breaks=True)
        return node

    def _note(self, name: str, why: str, node: Node, *, breaks: bool = False, owner: str | None = None) -> Node:
        where = owner or self.names.module or type(self.model).__name__
        self.events.append(Event(where, _word(name), why, breaks, node))
        return node

    def _added(self, parents: list[Node], out: Tensor) -> Node:
        """Sum or difference. Of spikes and spikes it is an integer, whatever these spikes happened to be."""
        level = max((p.level for p in parents), key=LEVELS.index)
        if len(parents) == 1:  # a constant, as in 1 - spikes
            level = max(level, _level_of(out), key=LEVELS.index)
            return joined(parents, 'a constant added', level=level)
        if level == 'real':
            first, *others = sorted(parents, key=lambda p: -LEVELS.index(p.level))
            return first.then(f'added to the output of {others[0].sources[0]}', constant=False)
        return joined(parents, 'a sum of spikes', level=max('integer', _level_of(out), key=LEVELS.index))

    def _multiplied(self, name: str, args: tuple, parents: list[Node]) -> Node:
        operands = [(x, self.node(x)) for x in args[:2] if isinstance(x, Tensor)]
        operands = [(x, node) for x, node in operands if node is not None]
        if len(operands) == 1:
            by = next((x for x in args[:2] if x is not operands[0][0]), None)
            number = f'{by:.4g}' if isinstance(by, int | float) else 'constants'
            word = f'{"divided" if name == "aten.div" else "scaled"} by {number}'
            why = f'{word}: the threshold or the weights of the next layer can take it up'
            return self._note(name, why, parents[0].then(word))
        levels = [self._operand(x, node) for x, node in operands]
        (first, second) = (node for _, node in operands)
        if 'spike' in levels:
            why = f'multiplied by spikes, {operands[levels.index("spike")][1]}: they let pass or not'
            kept = first if levels[0] != 'spike' else second
            return self._note('mask', why, kept.then('masked') if levels != ['spike'] * 2 else joined(parents))
        why = f'multiplies {first} with {second}, both known at run time only'
        node = first.then(f'multiplied by {second.sources[0]}', level='real', constant=False)
        return self._note(name, why, node, breaks=True)

    def _operand(self, x: Tensor, node: Node) -> str:
        """Level of a factor in a product of activations: no weight can take up what was done to it."""
        return max(node.level, _level_of(x), key=LEVELS.index)

    def _normed(self, func, name: str, args: tuple, kwargs: dict, parent: Node) -> Node:
        owner = self.names.of_weight(args[1]) if isinstance(args[1], Tensor) else None
        names = [argument.name for argument in func._schema.arguments]
        at = names.index('training') if 'training' in names else len(args)
        if kwargs.get('training', args[at] if at < len(args) else name == 'aten._batch_norm_with_update'):
            node = parent.then('batch norm', level='real', constant=False)
            why = f'batch norm of {parent} by the statistics of the batch'
            return self._note('batch norm', why, node, breaks=True, owner=owner)
        direct = parent.constant and not parent.sources[0].startswith(('neuron', 'the data'))
        where = f'the weights of {parent.sources[0]}' if direct else 'the threshold of the next neuron'
        why = f'batch norm of {parent}, which {where} can take up'
        return self._note('batch norm', why, parent.then('batch norm', level='real'), owner=owner)

    def _interpolated(self, name: str, args: tuple, parents: list[Node]) -> Node:
        word = NAMES.get(name, 'interpolation')
        if name in VALUES and self.nodes(args[1]):
            why = f'{word} of {parents[0]}: its factors depend on positions that are known at run time only'
            return self._note(name, why, joined(parents, word, level='real', constant=False), breaks=True)
        why = f'{word} of {parents[0]} by constants: weights before or behind it can take them up'
        return self._note(name, why, joined(parents, word))

    def _weighted(self, name: str, args: tuple, kwargs: dict) -> Node | None:
        """A layer, or a product of activations, is called."""
        biased = name in ('aten.addmm', 'aten.baddbmm', 'aten.addmv')
        tensors = args[:3] if name in ATTENTION else args[1:3] if biased else args[:2]
        operands = [(x, node) for x, node in zip(tensors, map(self.node, tensors), strict=True) if node is not None]
        parents = self.nodes(args, kwargs)
        if not operands:  # a product of constants; a bias may depend on data
            return joined(parents) if parents else None
        levels = [self._operand(x, node) for x, node in operands]
        cheapest = levels.index(min(levels, key=LEVELS.index))
        (read, node), level = operands[cheapest], levels[cheapest]
        type, label = 'product', None
        if len(operands) == 1:
            weight = next(x for x in tensors if x is not read)
            label = self.names.of_weight(weight)
            type = 'deform_conv' if name in DEFORMABLE else 'conv' if 'conv' in name else 'linear'
            level = self._read_by_weights(read, node)
        label = label or self.names.of_product()
        if name in ATTENTION:
            type, level = 'attention', 'real'
        made = Node('real', (f'{type} {label}',), fired=any(p.fired for p in parents), parents=tuple(parents))
        if type == 'product' and 'real' not in levels:
            made.level = 'integer'
        if type == 'attention':
            self._note(name, f'{type} {label}: softmax of scores', made, breaks=True)
        elif type == 'deform_conv':
            level = 'real'
            self._note(name, f'{type} {label} reads numbers between pixels, where the data say', made, breaks=True)
        with _disable_current_modes():
            self.reads.append(Read(label, type, level, Values.of(read), node, made))
        return made

    def _read_by_weights(self, x: Tensor, node: Node) -> str:
        """Level of what a layer reads: it tolerates factors, if there were any, but no numbers from elsewhere."""
        return node.level if node.steps else self._operand(x, node)


class _Mode(TorchDispatchMode):
    """Shows a trace every operator."""

    def __init__(self, trace: Trace) -> None:
        super().__init__()
        self.trace = trace

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return self.trace.see(func, args, kwargs or {})


def joined(parents: list[Node], step: str | None = None, **changes) -> Node:
    """What an operation makes of several: it is worth what the dearest of them is."""
    dearest = max(parents, key=lambda p: LEVELS.index(p.level))
    sources = tuple(dict.fromkeys(
        source for p in sorted(parents, key=lambda p: p is not dearest) for source in p.sources))
    constant = changes.pop('constant', all(p.constant for p in parents))
    return dearest.then(step, sources=sources, constant=constant, **changes)


def _word(name: str) -> str:
    return 'attention' if name in ATTENTION else NAMES.get(name, name.split('.')[-1])


def _level_of(x: Tensor) -> str:
    """Level by the numbers alone: counts with a common factor, such as quarters, are 'integer'."""
    with _disable_current_modes():
        level = Values.of(x).level
        if level != 'real':
            return level
        nonzero = x[x != 0].double().abs()
        counts = nonzero / nonzero.min()
        whole = counts.max() <= LARGEST_INTEGER and (counts - counts.round()).abs().max() < 1e-3
        return 'integer' if whole else 'real'


def called(reads: list[Read]) -> Iterator[tuple[str, list[Read]]]:
    """The calls of every layer, by name, in the order of the first."""
    by_name: dict[str, list[Read]] = {}
    for read in reads:
        by_name.setdefault(read.name, []).append(read)
    yield from by_name.items()
