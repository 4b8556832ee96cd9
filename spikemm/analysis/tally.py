"""Add up what the calls of a layer cost, over batches of which each may look cheaper than what the layer reads."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from spikemm.ops.spike_count import LARGEST_INTEGER, SpikeCount

from .counts import OPERANDS, LayerCount, stage_of

ROWS = 4  # of each side of a layer: numbers not 0, their sizes, how many numbers there are, accumulates
SPIKES = {'binary', 'scaled'}


@dataclass
class Call:
    """A weight layer, or a product, that ran.

    Args:
        name: As in :class:`LayerCount`.
        type: Likewise.
        dense: Likewise, of all samples.
        sides: Operand and unit of what it read, as of a :class:`SpikeCount`; a product has two sides.
        sums: Of every part of what it read ``ROWS`` a side; of a product of spikes the pairs that met, too; ``[k, N]``.
        bias: Additions of a bias, of all samples.
        encoding: As in :class:`LayerCount`.
    """

    name: str
    type: str
    dense: float
    sides: tuple[tuple[str, float], ...]
    sums: np.ndarray
    bias: float = 0.0
    encoding: bool = False

    @classmethod
    def of(cls, name: str, type: str, dense: float, *reads: tuple[SpikeCount, np.ndarray], **kwargs) -> 'Call':
        """Make a call of what it read, and the accumulates of each part if these are no real numbers."""
        sums = np.empty((ROWS * len(reads), len(reads[0][1])))
        for i, (count, acs) in enumerate(reads):
            rows = sums[ROWS * i:ROWS * (i + 1)]
            rows[:2], rows[2], rows[3] = count.sums[:2], count.numel, 0 if count.operand == 'real' else acs
        return cls(name, type, dense, tuple((count.operand, count.unit) for count, _ in reads), sums, **kwargs)

    @property
    def is_real(self) -> bool:
        return all(operand == 'real' for operand, _ in self.sides)


@dataclass
class _Group:
    """Calls that read the same: sums of time steps ``[k, steps]``, and of the rows that cost something, of samples."""

    sums: np.ndarray = field(default_factory=lambda: np.zeros((1, 0)))
    samples: list[tuple[int, float, np.ndarray]] = field(default_factory=list)  # first number, dense of each, [k, n]


@dataclass
class Layer:
    """What is known of a layer after some samples."""

    type: str
    encoding: bool = False
    dense: float = 0.0
    bias: float = 0.0
    calls: list[dict[tuple, _Group]] = field(default_factory=list)  # the first calls of all passes, the second ones ...

    def add(self, call: Call, which: int, cells: np.ndarray, batch: int, start: int, at: int) -> None:
        """Add a call.

        Args:
            call: The call.
            which: Its number among those of a pass, or of a time step if a model loops over these.
            cells: Its ``sums`` by time step and sample, ``[k, steps, n]``; n is 1 where samples cannot be told apart.
            batch: Samples.
            start: Number of the first sample.
            at: Number of the first time step.
        """
        self.encoding |= call.encoding
        self.dense += call.dense
        self.bias += call.bias
        while len(self.calls) <= which:
            self.calls.append({})
        group = self.calls[which].setdefault(tuple(
            (operand, None if np.isnan(unit) else unit) for operand, unit in call.sides), _Group())
        group.sums = add_steps(group.sums, cells[..., 0] if cells.shape[2] == 1 else cells.sum(2), at)
        costs = cells[ROWS - 1::ROWS] if len(cells) % ROWS == 0 else cells[[3, 7, 8]]
        of_samples = costs[:, 0] if cells.shape[1] == 1 else costs.sum(1)
        if of_samples.shape[1] != batch:
            of_samples = np.repeat(of_samples / batch, batch, 1)
        group.samples.append((start, call.dense / batch, of_samples.copy()))

    def count(self, name: str, n: int, spiking: bool) -> tuple[LayerCount, np.ndarray]:
        """The figures of a sample, and the multiply-accumulates and accumulates of each of ``n``, ``[2, n]``."""
        operands, operations, sums, others = [OPERANDS[0]], np.zeros((2, n)), np.zeros((ROWS, 0)), np.zeros((ROWS, 0))
        for groups in self.calls:
            operand, parts = _decided(groups)
            operands.append(operand)
            for group, row, factor, read, other in parts:
                sums, others = add_steps(sums, read), add_steps(others, other)
                for start, dense, costs in group.samples:
                    here = operations[:, start:start + costs.shape[1]]
                    here += [[dense], [0]] if operand == 'real' else np.stack([0 * costs[row], factor * costs[row]])
        nonzero, values, numel, acs = sums
        with np.errstate(invalid='ignore'):  # nothing was read, by a head of regions without any
            rates = [*(values / numel), values.sum() / numel.sum(), nonzero.sum() / numel.sum(),
                     others[1].sum() / others[2].sum()]
        *by_step, rate, density, other_rate = [None if np.isnan(x) else float(x) for x in rates]
        macs, accumulates = (operations.sum(1) / n).tolist()
        return LayerCount(
            name=name, type=self.type, stage=stage_of(name), operand=max(operands, key=OPERANDS.index),
            encoding=spiking and self.encoding, steps=len(acs), dense=self.dense / n, macs=macs, acs=accumulates,
            bias=self.bias / n, acs_by_step=(acs / n).tolist(), spread=float(operations.sum(0).std()), rate=rate,
            density=density, rate_by_step=by_step, other_rate=other_rate), operations


def _decided(groups: dict[tuple, _Group]) -> tuple[str, list[tuple[_Group, int, float, np.ndarray, np.ndarray]]]:
    """What is read on the side that decides, and of each group its row of costs, a factor for it, and both sides' sums.

    In a batch without much in it integers may all be alike, or a layer of real numbers may read nothing. So what calls
    read is decided for all batches together, and no figure depends on how samples were put into batches.
    """
    sides = list(zip(*groups, strict=True))  # of each side what the groups read
    operands = [_of_all(side) for side in sides]
    factors = [[abs(unit) if (kind, operand) == ('scaled', 'integer') else 1.0 for kind, unit in side]
               for side, operand in zip(sides, operands, strict=True)]
    sums = [[_held_for(operand, factor, group.sums[ROWS * i:ROWS * (i + 1)])
             for factor, group in zip(factors[i], groups.values(), strict=True)] for i, operand in enumerate(operands)]
    costs = [(OPERANDS.index(operand), sum(x[-1].sum() for x in sums[i])) for i, operand in enumerate(operands)]
    cheap = costs.index(min(costs))
    meet = len(sides) == 2 and SPIKES.issuperset(operands)
    parts = []
    for g, group in enumerate(groups.values()):
        read = sums[cheap][g]
        if meet:
            read = np.concatenate([read[:-1], group.sums[-1:]])
        other = sums[1 - cheap][g] if len(sides) == 2 else np.zeros((ROWS, 0))
        parts.append((group, 2 if meet else cheap, factors[cheap][g], read, other))
    return operands[cheap], parts


def _of_all(reads: Iterable[tuple[str, float | None]]) -> str:
    """Operand of several inputs together."""
    operands = {operand for operand, _ in reads}
    units = {unit for operand, unit in reads if operand in SPIKES} - {0}
    if operands <= SPIKES and len(units) < 2:
        return 'binary' if units <= {1} else 'scaled'
    whole = all(unit % 1 == 0 and abs(unit) <= LARGEST_INTEGER for unit in units)
    return 'integer' if whole and 'real' not in operands else 'real'


def _held_for(operand: str, factor: float, sums: np.ndarray) -> np.ndarray:
    """Sums of a side if what is read there is of this kind."""
    if operand != 'real':
        return sums * [[1], [factor], [1], [factor]]
    nothing = np.full_like(sums[2], np.nan)
    return np.stack([nothing, nothing, sums[2], np.zeros_like(nothing)])


def add_steps(a: np.ndarray, b: np.ndarray, at: int = 0) -> np.ndarray:
    """Sum of sums of time steps ``[k, steps]``, of which one may have more; ``b`` begins with step ``at``."""
    total = np.zeros((len(b), max(a.shape[1], at + b.shape[1])))
    total[:, :a.shape[1]] += a
    total[:, at:at + b.shape[1]] += b
    return total
