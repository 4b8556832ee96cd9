"""What a forward pass computes, layer by layer: the numbers that energies, audits and reports are made of."""

import dataclasses
import math
from dataclasses import dataclass, field

OPERANDS = ('binary', 'scaled', 'integer', 'real')  # from the cheapest to the dearest; a layer keeps the dearest it met
STAGES = ('backbone', 'stages', 'roi_head', 'teacher', 'student')  # parts of a name that alone say too little
SATURATED = 0.95  # rate above which a layer of neurons is called saturated


@dataclass
class LayerCount:
    """A weight layer, or a product of two activations, and what one sample costs it in the mean.

    Args:
        name: Name in the model; for a product that of the module which computes it, ``.product_1`` for the first.
        type: 'conv', 'linear', 'deform_conv', 'product', 'attention' (of ANNs), 'sum' (of spikes, in SDSA-1 and 2).
        stage: Part of the model, see :func:`stage_of`.
        operand: What it reads. 'binary': 0 and 1; 'scaled': 0 and one other number, a factor that weights can take up;
            'integer': whole numbers up to :data:`~spikemm.analysis.counter.LARGEST_INTEGER`; 'real': anything else. Of
            a product the cheaper operand.
        encoding: Whether it runs before any neuron has, or reads an input of the model itself: data.
        steps: Time steps at which it ran, 1 if it ran once for all of them.
        dense: Multiply-accumulates at firing rate 1 over those steps, padding counted like data, as FLOP counters do.
        macs: Multiply-accumulates that were needed: ``dense`` where it read real numbers, else 0.
        acs: Accumulates that were needed: the weights that each spike reached, borders and strides exact; an integer
            counts as that many.
        bias: Additions of a bias.
        acs_by_step: ``acs`` of every step.
        spread: Standard deviation of ``macs + acs`` over the samples.
        rate: Mean size of what it reads, padding apart: the firing rate, of integers maybe above 1, of real numbers
            None, as are the others.
        density: Share of what it reads that is not 0.
        rate_by_step: ``rate`` of every step.
        other_rate: Of a product, ``rate`` of the other operand.
    """

    name: str
    type: str
    stage: str
    operand: str
    encoding: bool
    steps: int
    dense: float
    macs: float
    acs: float
    bias: float
    acs_by_step: list[float]
    spread: float
    rate: float | None
    density: float | None
    rate_by_step: list[float | None]
    other_rate: float | None = None


@dataclass
class NeuronCount:
    """A layer of neurons.

    Args:
        name: Name in the model.
        type: Its class.
        stage: Part of the model.
        neurons: Neurons a sample.
        rate_by_step: Mean size of the output of every time step.
        channels: Channels.
        silent_channels: Channels that never fired, in no sample and at no step.
        largest: Largest size of an output seen, 1 for spikes.
    """

    name: str
    type: str
    stage: str
    neurons: float
    rate_by_step: list[float]
    channels: int
    silent_channels: int
    largest: float

    @property
    def rate(self) -> float:
        return sum(self.rate_by_step) / len(self.rate_by_step)


@dataclass
class Unknown:
    """What ran and could not be counted: an operator, or a layer whose weights no known operator read."""

    name: str
    what: str


@dataclass
class Counts:
    """All of a model. The figures are those of one sample: an image, or a clip with all of its time steps.

    Args:
        layers: In the order of their first call.
        neurons: Likewise.
        unknown: What could not be counted.
        elementwise: Numbers made by what no energy model here prices: 'add', 'multiply', 'norm', 'nonlinear',
            'interpolate' and 'neuron' (updates of a potential).
        T: Time steps.
        parameters: Of the model.
        sample_macs: ``macs`` of every sample.
        sample_acs: ``acs`` of every sample.
    """

    layers: list[LayerCount]
    neurons: list[NeuronCount] = field(default_factory=list)
    unknown: list[Unknown] = field(default_factory=list)
    elementwise: dict[str, float] = field(default_factory=dict)
    T: int = 1
    parameters: int = 0
    sample_macs: list[float] = field(default_factory=list)
    sample_acs: list[float] = field(default_factory=list)

    @property
    def macs(self) -> float:
        return sum(layer.macs for layer in self.layers)

    @property
    def acs(self) -> float:
        return sum(layer.acs for layer in self.layers)

    @property
    def bias(self) -> float:
        return sum(layer.bias for layer in self.layers)

    @property
    def rate(self) -> float:
        """Spikes a neuron and time step."""
        sites = sum(n.neurons for n in self.neurons)
        return sum(n.rate * n.neurons for n in self.neurons) / sites if sites else math.nan

    def warnings(self) -> list[str]:
        """What must be read before any figure, the worst first."""
        silent = [n.name for n in self.neurons if n.rate == 0]
        saturated = [n.name for n in self.neurons if n.rate > SATURATED * n.largest and n.largest > 0]
        lines = []
        if self.neurons and len(silent) == len(self.neurons):
            lines.append('SILENT NETWORK: no neuron fired, the figures mean nothing')
        elif silent:
            lines.append(f'silent: {len(silent)} of {len(self.neurons)} layers of neurons never fired: {some(silent)}')
        if saturated:
            lines.append(f'saturated: {len(saturated)} of {len(self.neurons)} layers of neurons fire nearly always: '
                         f'{some(saturated)}')
        if self.unknown:
            lines.append(f'unknown: {len(self.unknown)} operations were not counted: '
                         f'{some([f"{u.name} ({u.what})" for u in self.unknown])}')
        return lines

    def to_dict(self) -> dict:
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, data: dict) -> 'Counts':
        return cls(**{
            **data,
            'layers': [LayerCount(**layer) for layer in data['layers']],
            'neurons': [NeuronCount(**neuron) for neuron in data['neurons']],
            'unknown': [Unknown(**unknown) for unknown in data['unknown']]})


def some(names: list[str], shown: int = 5) -> str:
    """List the first names and count the others."""
    more = f' and {len(names) - shown} more' if len(names) > shown else ''
    return ', '.join(names[:shown]) + more


def stage_of(name: str) -> str:
    """Part of a model that a layer belongs to: ``backbone.stages.2.0.conv`` -> ``backbone.stages.2``."""
    parts = [part for part in name.split('.') if part != 'module']
    stage = parts[:1]
    for part in parts[1:-1]:
        if stage[-1] not in STAGES:
            break
        stage.append(part)
    return '.'.join(stage)
