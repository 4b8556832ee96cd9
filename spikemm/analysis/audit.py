"""Whether a model is spike-driven: whether spikes meet weights everywhere, so that adding up weights is all it does."""

import dataclasses
import functools
import operator
import os.path
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from .counts import some, stage_of
from .trace import LEVELS, THRESHOLD, Event, Read, Trace, Values, called

BY_PROVENANCE = 'verdict by provenance only'


@dataclass
class LayerVerdict:
    """What a weight layer, or a product of activations, reads.

    Args:
        name: Name in the model, that of :class:`~spikemm.analysis.LayerCount`.
        stage: Part of the model.
        verdict: 'encoding': the data, no neuron comes before; 'spike': spikes, or a constant factor times spikes;
            'integer': whole numbers, sums of spikes; 'real': anything else. Of a product the cheaper operand counts:
            with spikes it is a sum of what the other one holds.
        values: What it read, in words.
        why: The reason, where one is needed.
    """

    name: str
    stage: str
    verdict: str
    values: str
    why: str = ''


@dataclass
class Finding:
    """An operation between layers.

    Args:
        name: Name of the module in which it runs.
        op: The operation.
        why: What about it.
    """

    name: str
    op: str
    why: str


@dataclass
class Audit:
    """What an audit found.

    Args:
        verdict: 'spike-driven', 'integer-driven', 'not spike-driven', or 'no spikes' of a model without neurons.
        why: The reason, in one sentence.
        layers: Every weight layer and product that ran, in the order of the first call.
        findings: Operations that break the property: they multiply numbers that are all known at run time only.
        folds: Remarks: multiplications by constants, which weights or thresholds can take up, and masks.
    """

    verdict: str
    why: str
    layers: list[LayerVerdict]
    findings: list[Finding] = field(default_factory=list)
    folds: list[Finding] = field(default_factory=list)

    @property
    def spike_driven(self) -> bool:
        """The check-mark "Spike" of the tables of `Spike-driven Transformer V2 <https://arxiv.org/abs/2404.03663>`_."""
        return self.verdict == 'spike-driven'

    @property
    def silent(self) -> list[str]:
        """Layers that no spike reached: where the spikes would have come from is all that is known of them."""
        return [layer.name for layer in self.layers if BY_PROVENANCE in layer.why]

    def to_dict(self) -> dict:
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, data: dict) -> 'Audit':
        return cls(**{
            **data,
            'layers': [LayerVerdict(**layer) for layer in data['layers']],
            'findings': [Finding(**finding) for finding in data['findings']],
            'folds': [Finding(**fold) for fold in data['folds']]})


@torch.no_grad()
def audit(model: nn.Module, run: Callable[[], Any]) -> Audit:
    """Judge a model by one forward pass: by the values that its layers read and by where these come from.

    Spikes may be multiplied by constants on their way to a layer, and potentials on their way to a neuron, since
    weights and thresholds can take constants up: batch norms, means, a scale, resizing. They may be masked by other
    spikes, and compared (max pooling, ReLU). Anything else that is done to numbers between two layers is a finding.
    What comes behind the last layer, such as the softmax of the scores or the choice of boxes, is not the network's.

    Args:
        model: The model, in the mode (evaluation, if you have no other in mind) and the graph that shall be judged.
        run: Does one forward pass of ``model``, with an input on which its neurons fire.

    Raises:
        ValueError: ``run`` called no weight layer of ``model``.
    """
    with Trace(model) as trace:
        run()
    if not trace.reads:
        raise ValueError(
            f'`run` must do a forward pass of `model` in which a weight layer meets data, but got none: '
            f'{type(model).__name__} has nothing to judge.')
    spiking = bool(trace.neurons)
    layers = [_judge(name, reads, model, spiking) for name, reads in called(trace.reads)]
    ancestors = trace.ancestors()
    events = [event for event in trace.events if id(event.node) in ancestors]
    findings = _remarks([event for event in events if event.breaks and (event.node.fired or not spiking)])
    verdict, why = _conclude(layers, findings, trace.neurons)
    return Audit(verdict, why, layers, findings, _remarks([event for event in events if not event.breaks]))


def _judge(name: str, reads: list[Read], model: nn.Module, spiking: bool) -> LayerVerdict:
    """The dearest call decides; data come first, since a layer that meets both is no encoding layer only."""
    encoding = spiking and not any(read.made.fired for read in reads)
    worst = max(reads, key=lambda read: LEVELS.index(read.level))
    values = functools.reduce(operator.or_, (read.values for read in reads))
    verdict = 'encoding' if encoding else worst.level
    if verdict == 'encoding':
        why = f'reads {worst.node}: no neuron comes before it'
    elif verdict == 'real':
        why = _why_real(worst, model)
    elif verdict == 'integer':
        why = f'reads {worst.node}'
    elif THRESHOLD in worst.node.steps:
        why = f'reads {worst.node}, which makes spikes as neurons do'
    else:
        why = f'reads {worst.node}: sums and constant factors, which commute with weights' if worst.node.steps else ''
    if values.kind == 'silent' and verdict in ('spike', 'integer'):
        why = '; '.join(part for part in (why, f'no spike reached layer {name}: {BY_PROVENANCE}') if part)
    return LayerVerdict(name, stage_of(name), verdict, str(values), why)


def _why_real(read: Read, model: nn.Module) -> str:
    node = read.node
    if read.type == 'attention':
        return 'softmax of scores, multiplied with the values'
    if read.type == 'deform_conv':
        return f'reads numbers between the pixels of {node}'
    if node.sources[0].startswith('neuron '):
        return f'reads {node}' + (', among numbers from elsewhere' if node.level != 'real' else '')
    why = f'reads {node}: no neuron stands between'
    makers = [source.split(' ', 1) for source in node.sources]
    in_a_row = len(makers) == 1 and makers[0][0] == read.type and set(node.steps) <= {'batch norm', 'a constant added'}
    if not in_a_row:
        return why
    common = os.path.commonpath([read.name.replace('.', '/'), makers[0][1].replace('.', '/')]).replace('/', '.')
    owner = type(model.get_submodule(common)).__name__
    remedy = f', so that merging the two layers of this {owner} would mend it' if common else ''
    return f'{why}, nor anything but constants{remedy}'


def _remarks(events: list[Event]) -> list[Finding]:
    """One of each, in their order."""
    keys = dict.fromkeys((event.name, event.op, event.why) for event in events)
    return [Finding(*key) for key in keys]


def _conclude(layers: list[LayerVerdict], findings: list[Finding], neurons: dict[str, Values]) -> tuple[str, str]:
    """Verdict of the model and its reason."""
    by = {verdict: [layer for layer in layers if layer.verdict == verdict] for verdict in ('encoding', *LEVELS)}
    if not neurons:
        alike = [layer.name for layer in layers if layer.verdict == 'spike' and layer.values == '0 and 1']
        if alike:
            alike = [f'; but {some(alike, 3)} read 0 and 1: neurons are known if they are modules of SpikingJelly']
        return 'no spikes', f'no neuron ran: {_named(layers[:1])}' + ''.join(alike)
    reasons = []
    if by['real']:
        reasons.append(f'{len(by["real"])} of {len(layers)} layers read real numbers: {_named(by["real"])}')
    if findings:
        what = some([f'{finding.op} in {finding.name}' for finding in findings], 3)
        reasons.append(f'{len(findings)} operations between layers multiply what is known at run time only: {what}')
    verdict = 'not spike-driven' if reasons else 'integer-driven' if by['integer'] else 'spike-driven'
    if verdict == 'integer-driven':
        reasons.append(f'{len(by["integer"])} of {len(layers)} layers read whole numbers: {_named(by["integer"])}')
    elif verdict == 'spike-driven':
        reasons.append(f'{len(by["spike"])} of {len(layers)} layers read spikes')
        if by['encoding']:
            first = [layer.name for layer in by['encoding']]
            reasons.append(f'{len(first)} before the first neuron read the data: {some(first, 3)}')
    silent = [layer.name for layer in layers if BY_PROVENANCE in layer.why]
    if silent:
        reasons.append(f'no spike reached {some(silent, 3)}: {BY_PROVENANCE}')
    return verdict, '; '.join(reasons)


def _named(layers: list[LayerVerdict]) -> str:
    """The first in full, then names."""
    first = f'{layers[0].name} ({layers[0].values}) {layers[0].why}'
    others = [layer.name for layer in layers[1:]]
    return first + (f'; likewise {some(others, 3)}' if others else '')
