"""What the operations of a forward pass would cost, by several conventions."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

from spikingjelly.activation_based.op_counter import SimpleEnergyCostConfig

from .counts import Counts, LayerCount

PJ_PER_MJ = 1e9


@dataclass(frozen=True)
class EnergyModel:
    """What an operation costs.

    Args:
        name: Key in :data:`ENERGY_MODELS`.
        e_mac: Energy of a multiply-accumulate in pJ.
        e_ac: Energy of an accumulate in pJ.
        source: Where the numbers come from.
    """

    name: str
    e_mac: float
    e_ac: float
    source: str


def _horowitz(name: str, cost: SimpleEnergyCostConfig, precision: str) -> EnergyModel:
    source = f'Horowitz, ISSCC 2014 (https://doi.org/10.1109/ISSCC.2014.6757323), 45 nm, {precision}'
    return EnergyModel(name, cost.e_mac_pj, cost.e_ac_pj, source)


ENERGY_MODELS = {model.name: model for model in (
    _horowitz('45nm', SimpleEnergyCostConfig.fp32(), '32-bit floating point'),
    _horowitz('45nm-fp16', SimpleEnergyCostConfig.fp16(), '16-bit floating point'),
    _horowitz('45nm-int8', SimpleEnergyCostConfig.int8(), '8-bit integers'))}


@dataclass(frozen=True)
class Convention:
    """A way to turn what a layer did into operations that are paid for.

    Args:
        name: Key in :data:`CONVENTIONS`.
        formulas: What is paid for, by type of layer, in the words of :class:`~spikemm.analysis.counts.LayerCount`.
        rate: The firing rate that it multiplies.
        leaves_out: What costs nothing.
        source: What is known of it and from where, and what is assumed.
        operations: Multiply-accumulates and accumulates of a layer in a forward pass of ``T`` time steps.
    """

    name: str
    formulas: dict[str, str]
    rate: str
    leaves_out: str
    source: str
    operations: Callable[[LayerCount, int], tuple[float, float]] = dataclasses.field(repr=False)


def _dense(layer: LayerCount, T: int) -> float:
    """Multiply-accumulates at rate 1, of all time steps also where a still image was computed once for all of them."""
    return layer.dense * _repeats(layer, T)


def _repeats(layer: LayerCount, T: int) -> int:
    return T if layer.encoding and layer.steps == 1 else 1


def _rate(layer: LayerCount) -> float:
    return layer.rate or 0.0  # None of a head of regions that never had one


def _exact(layer: LayerCount, T: int) -> tuple[float, float]:
    return layer.macs, layer.acs + layer.bias


def _paper_sdt_v2(layer: LayerCount, T: int) -> tuple[float, float]:
    dense = _dense(layer, T)
    return (dense, 0.0) if layer.encoding or layer.operand == 'real' else (0.0, dense * _rate(layer))


def _paper_spikformer(layer: LayerCount, T: int) -> tuple[float, float]:
    if layer.type == 'sum':
        return 0.0, 0.0
    operations = _dense(layer, T) + layer.bias * _repeats(layer, T)
    return (0.0, operations * _rate(layer)) if layer.operand in ('binary', 'scaled') else (operations, 0.0)


_OUTSIDE = 'norms that were not folded, pooling, residual additions, updates of neurons, memory'

CONVENTIONS = {convention.name: convention for convention in (
    Convention(
        name='exact',
        formulas={
            'conv, linear': 'binary, scaled or integer input: acs * E_AC; real input: macs * E_MAC; both: bias * E_AC',
            'first layer': 'as often as it ran: once for a still image, whatever T is',
            'product': 'of spikes: the pairs that meet, acs * E_AC; of spikes and numbers: the numbers that spikes '
                       'reach, acs * E_AC; of numbers: macs * E_MAC',
            'sum': 'acs * E_AC: the spikes that are summed up',
            'attention, deform_conv': 'macs * E_MAC'},
        rate='none: it counts the weights that every single spike reached',
        leaves_out=f'{_OUTSIDE} (all but memory are among the elementwise figures)',
        source='what this forward pass computed; agrees with the counters of SpikingJelly 2.0 where both count a thing',
        operations=_exact),
    Convention(
        name='paper-sdt-v2',
        formulas={
            'conv, linear': 'spikes or integers: dense * rate * E_AC; real input: dense * E_MAC',
            'first layer': 'T * dense * E_MAC',
            'product': 'dense * rate * E_AC (of numbers: dense * E_MAC)',
            'sum': 'dense * rate * E_AC',
            'attention, deform_conv': 'dense * E_MAC'},
        rate='the mean of what the layer reads, over all time steps and samples; integers count by their value',
        leaves_out=f'biases, {_OUTSIDE}',
        source='Spike-driven Transformer V2 (https://arxiv.org/abs/2404.03663). Sure, from the main text: ANNs cost '
               'FLOPs * E_MAC, spiking ones FLOPs * E_AC * firing rate, 4.6 and 0.9 pJ. Assumed, since its Appendix B '
               'was not at hand: the first layer costs E_MAC at each of T steps, whatever it reads; a FLOP is a '
               'multiply-accumulate with padding counted like data; biases cost nothing; a product pays for the rate '
               'of its cheaper operand. Layers are those that ran: to read spikes everywhere, RepConv must be merged '
               "into a dense 3x3 convolution (graph 'spike'), where SepConv's pair is a dense 7x7 one; the paper does "
               'not say which of these it counts.',
        operations=_paper_sdt_v2),
    Convention(
        name='paper-spikformer',
        formulas={
            'conv, linear': 'input of 0 and 1: (dense + bias) * rate * E_AC; any other: (dense + bias) * E_MAC',
            'first layer': 'T times the above',
            'product': 'of spikes: dense * rate * E_AC, which is T * heads * N * d * d * (min(rate_k, rate_v) + '
                       'rate_q) for Q (K^T V); else dense * E_MAC',
            'sum': 'nothing: these networks have none',
            'attention, deform_conv': 'dense * E_MAC'},
        rate='the mean of what the layer reads; integers above 1 have none and cost a MAC each',
        leaves_out=f'sums of spikes as in SDSA-1 and 2, {_OUTSIDE}',
        source='energy_consumption_calculation of https://github.com/zhouchenlin2096/Spikingformer, a form of '
               'syops-counter. Sure: read from its code, and its log for Spikingformer-8-512 is reproduced. Assumed: '
               'spikes of another size than 1 are priced as spikes, without the factor that the script would leave in '
               'their rate.',
        operations=_paper_spikformer))}


@dataclass
class LayerEnergy:
    """What a layer costs a sample.

    Args:
        name: As in :class:`~spikemm.analysis.counts.LayerCount`.
        type: Likewise.
        stage: Likewise.
        macs: Multiply-accumulates that are paid for.
        acs: Accumulates that are paid for.
        mac_pj: Energy of the former in pJ.
        ac_pj: Energy of the latter in pJ.
    """

    name: str
    type: str
    stage: str
    macs: float
    acs: float
    mac_pj: float
    ac_pj: float


@dataclass
class Energy:
    """What a model costs a sample.

    Args:
        convention: Key in :data:`CONVENTIONS`.
        model: What an operation costs.
        layers: As in the counts.
    """

    convention: str
    model: EnergyModel
    layers: list[LayerEnergy]

    @property
    def macs(self) -> float:
        return sum(layer.macs for layer in self.layers)

    @property
    def acs(self) -> float:
        return sum(layer.acs for layer in self.layers)

    @property
    def mac_mj(self) -> float:
        """Energy of the multiply-accumulates in mJ."""
        return sum(layer.mac_pj for layer in self.layers) / PJ_PER_MJ

    @property
    def ac_mj(self) -> float:
        """Energy of the accumulates in mJ."""
        return sum(layer.ac_pj for layer in self.layers) / PJ_PER_MJ

    @property
    def mj(self) -> float:
        """Energy in mJ."""
        return self.mac_mj + self.ac_mj

    def to_dict(self) -> dict:
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, data: dict) -> 'Energy':
        layers = [LayerEnergy(**layer) for layer in data['layers']]
        return cls(data['convention'], EnergyModel(**data['model']), layers)


def energy_of(counts: Counts, convention: str = 'exact', model: str | EnergyModel = '45nm') -> Energy:
    """Price what was counted.

    Args:
        counts: Operations of a sample.
        convention: What is paid for: 'exact', what really ran; 'paper-sdt-v2' or 'paper-spikformer', what those papers
            would count. See :data:`CONVENTIONS`.
        model: What an operation costs: '45nm', the one of the papers, '45nm-fp16', '45nm-int8', or one of your own.

    Raises:
        ValueError: ``convention`` or ``model`` is unknown.
    """
    if convention not in CONVENTIONS:
        raise ValueError(f'convention must be one of {list(CONVENTIONS)}, but got {convention!r}.')
    if isinstance(model, str):
        if model not in ENERGY_MODELS:
            raise ValueError(f'model must be one of {list(ENERGY_MODELS)} or an EnergyModel, but got {model!r}.')
        model = ENERGY_MODELS[model]
    layers = []
    for layer in counts.layers:
        macs, acs = CONVENTIONS[convention].operations(layer, counts.T)
        layers.append(LayerEnergy(
            layer.name, layer.type, layer.stage, macs, acs, mac_pj=macs * model.e_mac, ac_pj=acs * model.e_ac))
    return Energy(convention, model, layers)
