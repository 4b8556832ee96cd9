"""The energy report: what was counted, what it costs and what the audit says, as a table, JSON, CSV and HTML."""

import csv
import json
import math
import statistics
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader
from markupsafe import Markup

from spikemm.visualization.energy_charts import energy_bars, shade, to_svg
from spikemm.visualization.units import energy_text, percent, rate_text, si

from .audit import Audit
from .counts import Counts, LayerCount
from .energy import CONVENTIONS, Energy, LayerEnergy

RANDOM = 'random input: firing rates mean nothing'
NO_CHECKPOINT = 'none'
UNTRAINED = 'weights are untrained: firing rates mean nothing'
OPERATIONS = {
    'conv': 'convolution', 'product': 'attention products', 'attention': 'attention products',
    'sum': 'attention products'}
UNITS = {
    'macs, acs, dense, bias, elementwise': 'operations a sample', 'mac_pj, ac_pj': 'pJ a sample', 'mj': 'mJ a sample',
    'rate, density': 'mean input of a layer or output of a neuron, share that is not 0',
    'spread': 'standard deviation over samples, operations'}
VERDICTS = {'encoding': 'encoding', 'spike': 'spikes', 'integer': 'integers', 'real': 'real numbers'}

Shares = dict[str, dict[str, tuple[float, float]]]


@dataclass
class EnergyReport:
    """What a model computes on data, what that costs by every convention, and whether it is spike-driven.

    Args:
        title: Name of the model.
        source: How it was made: config, checkpoint, data, samples, graph, command, versions ...
        counts: The operations.
        energies: By convention, the one that matters most first.
        audit: What the audit found; None if there was none.
        memory: SpikingJelly's memory-aware figures; None if they were not computed.
        metrics: What the model reached, such as ``{'accuracy/top1': 97.0}``.
        random: Whether the inputs were random.
    """

    title: str
    source: dict[str, str]
    counts: Counts
    energies: dict[str, Energy]
    audit: Audit | None = None
    memory: dict[str, Any] | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    random: bool = False

    @property
    def energy(self) -> Energy:
        """By the first convention."""
        return next(iter(self.energies.values()))

    def stamps(self) -> list[str]:
        """Why the figures that depend on spikes mean nothing, if so."""
        untrained = self.source.get('checkpoint') == NO_CHECKPOINT
        return [RANDOM] * self.random + [UNTRAINED] * untrained

    def warnings(self) -> list[str]:
        """What must be read before any figure."""
        return self.stamps() + self.counts.warnings()

    def headline(self) -> list[str]:
        """The report in a few lines, warnings first."""
        energy, counts = self.energy, self.counts
        lines = [*self.warnings()]
        if self.audit is not None:
            lines.append(f'{self.audit.verdict}: {self.audit.why}' if self.audit.why else self.audit.verdict)
        lines.append(
            f'energy: {energy_text(_pj(energy))} a sample ({energy.convention}): {energy_text(1e9 * energy.mac_mj)} in '
            f'{si(energy.macs)} MACs, {energy_text(1e9 * energy.ac_mj)} in {si(energy.acs)} ACs')
        lines.append(f'counted: {self.samples}; T = {counts.T}; {si(counts.parameters)} parameters')
        if self.metrics:
            lines.append('; '.join(f'{name}: {value:.4g}' for name, value in self.metrics.items()))
        return lines

    @property
    def samples(self) -> str:
        """How many samples were counted, and how far the price of what was counted differs, in words."""
        macs, acs = self.counts.sample_macs, self.counts.sample_acs
        if not acs:
            return 'an unknown number of samples'
        if len(acs) == 1:
            return '1 sample'
        model = self.energy.model
        spread = statistics.stdev(model.e_mac * a + model.e_ac * b for a, b in zip(macs, acs, strict=True))
        return f'{len(acs)} samples, standard deviation {energy_text(spread, 3)}'

    def by_stage(self, convention: str) -> Shares:
        """Energies ``(MAC, AC)`` in pJ of every stage, by operation."""
        operations = self._operations()
        shares: Shares = {}
        for layer in self.energies[convention].layers:
            _add(shares.setdefault(layer.stage, {}), operations.get(layer.name) or operation_of(layer), layer)
        return shares

    def by_operation(self, convention: str) -> dict[str, tuple[float, float]]:
        """Energies ``(MAC, AC)`` in pJ of every kind of operation."""
        operations = self._operations()
        shares: dict[str, tuple[float, float]] = {}
        for layer in self.energies[convention].layers:
            _add(shares, operations.get(layer.name) or operation_of(layer), layer)
        return shares

    def _operations(self) -> dict[str, str]:
        return {layer.name: 'encoding' if layer.encoding else operation_of(layer) for layer in self.counts.layers}

    def rows(self) -> list[dict[str, Any]]:
        """Return what is known of every layer, in full precision: a row of the CSV."""
        counted = {layer.name: layer for layer in self.counts.layers}
        priced: dict[str, dict[str, LayerEnergy]] = {}
        for convention, energy in self.energies.items():
            for layer in energy.layers:
                priced.setdefault(layer.name, {})[convention] = layer
        return [_row(name, counted.get(name), priced.get(name, {}), self.energies) for name in {**counted, **priced}]

    def first_layers(self) -> list[dict[str, Any]]:
        """Return of every layer that reads the data its MACs as they are computed, and T times as papers count them."""
        return [{'name': layer.name, 'once': layer.dense, 'steps': layer.steps,
                 'repeated': layer.dense / layer.steps * self.counts.T}
                for layer in self.counts.layers if layer.encoding]  # fmt: skip

    def table(self) -> str:
        """Return the report for a terminal: headline, layers, stages and totals."""
        layers = [['layer', 'reads', 'steps', 'dense', 'rate', 'MACs', 'ACs', *self.energies]]
        for row in self.rows():
            energies = [energy_text(row[f'energy_{name}_pj']) for name in self.energies]
            layers.append([row['name'], row['operand'], _text(row['steps']), si(row['dense']),
                           '-' if row['operand'] == 'real' else rate_text(row['rate']),
                           si(row['macs']), si(row['acs']), *energies])  # fmt: skip
        stages = [['stage', *self.energies]]
        by_stage = {name: self.by_stage(name) for name in self.energies}
        for stage in dict.fromkeys(stage for shares in by_stage.values() for stage in shares):
            sums = [sum(map(sum, by_stage[name].get(stage, {}).values())) for name in self.energies]
            stages.append([stage, *map(energy_text, sums)])
        totals = [['convention', 'MACs', 'ACs', 'in MACs', 'in ACs', 'energy']]
        for name, energy in self.energies.items():
            totals.append([name, si(energy.macs), si(energy.acs), energy_text(1e9 * energy.mac_mj),
                           energy_text(1e9 * energy.ac_mj), energy_text(_pj(energy))])  # fmt: skip
        tables = [layers, stages, totals]
        if self.memory:
            figures = [(name, found.get('total_mj'), found.get('memory_mj')) for name, found in self.memory.items()]
            tables.append([['with memory traffic', 'energy', 'in memory'], *(
                [name, *('unknown' if mj is None else energy_text(1e9 * mj) for mj in mjs)] for name, *mjs in figures)])
        return '\n\n'.join(['\n'.join(self.headline()), *map(_columns, tables)])

    def to_dict(self) -> dict[str, Any]:
        """Everything, and under 'summary' what is derived from it."""
        return {
            'title': self.title,
            'random': self.random,
            'metrics': self.metrics,
            'summary': {
                'headline': self.headline(),
                'mj': {name: energy.mj for name, energy in self.energies.items()},
                'by_stage_pj': {name: self.by_stage(name) for name in self.energies},
                'first_layers': self.first_layers()},
            'units': UNITS,
            'source': self.source,
            'counts': self.counts.to_dict(),
            'energies': {name: energy.to_dict() for name, energy in self.energies.items()},
            'audit': self.audit and self.audit.to_dict(),
            'memory': self.memory}

    @classmethod
    def load(cls, path: str | Path) -> 'EnergyReport':
        """Read ``report.json``.

        Raises:
            ValueError: The file is something else.
        """
        try:
            data = json.loads(Path(path).read_text(encoding='utf-8'))
            return cls(
                counts=Counts.from_dict(data['counts']),
                energies={name: Energy.from_dict(energy) for name, energy in data['energies'].items()},
                audit=data['audit'] and Audit.from_dict(data['audit']),
                **{key: data[key] for key in ('title', 'source', 'memory', 'metrics', 'random')})
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f'{path} must be the report.json of an energy report, but is not: {error!r}.') from error

    def save(self, folder: str | Path) -> Path:
        """Write ``report.json``, ``layers.csv`` and ``report.html``.

        Returns:
            The folder, which is made if it is missing.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(_finite(self.to_dict()), indent=1, ensure_ascii=False, allow_nan=False)
        (folder / 'report.json').write_text(text + '\n', encoding='utf-8')
        rows = self.rows()
        with open(folder / 'layers.csv', 'w', encoding='utf-8', newline='') as file:
            writer = csv.DictWriter(file, list(rows[0]) if rows else ['name'])
            writer.writeheader()
            writer.writerows(rows)
        (folder / 'report.html').write_text(self.html(), encoding='utf-8')
        return folder

    def html(self) -> str:
        """Return the report as one page that needs nothing else."""
        environment = Environment(loader=PackageLoader('spikemm.analysis'), autoescape=True, trim_blocks=True,
                                  lstrip_blocks=True)  # fmt: skip
        environment.filters.update(
            si=si, pj=energy_text, rate=rate_text, percent=percent, shade=shade, breakable=_breakable)
        main = self.energy
        return environment.get_template('report.html.j2').render(
            report=self, main=main, rows=self.rows(), conventions=CONVENTIONS, verdicts=VERDICTS,
            stage_chart=_chart(self.by_stage(next(iter(self.energies))), 'stages'),
            operation_chart=_chart({name: self.by_operation(name) for name in self.energies}, 'operations'),
            operations={name: self.by_operation(name) for name in self.energies},
            memory={model: [_memory_text(*item) for item in figures.items()]
                    for model, figures in (self.memory or {}).items()})


def operation_of(layer: LayerCount | LayerEnergy) -> str:
    """Kind of operation of a layer, as charts name it."""
    return OPERATIONS.get(layer.type, layer.type)


def _add(shares: dict[str, tuple[float, float]], operation: str, layer: LayerEnergy) -> None:
    mac_pj, ac_pj = shares.get(operation, (0.0, 0.0))
    shares[operation] = mac_pj + layer.mac_pj, ac_pj + layer.ac_pj


def _pj(energy: Energy) -> float:
    return 1e9 * energy.mj


def _row(
    name: str, layer: LayerCount | None, priced: dict[str, LayerEnergy], conventions: dict[str, Energy],
) -> dict[str, Any]:
    known = layer or next(iter(priced.values()))
    row = {'name': name, 'type': known.type, 'stage': known.stage}
    for key in ('operand', 'encoding', 'steps', 'dense', 'rate', 'density', 'other_rate', 'macs', 'acs', 'bias',
                'spread'):  # fmt: skip
        row[key] = getattr(layer, key, None)
    for convention in conventions:
        cost = priced.get(convention)
        row[f'energy_{convention}_pj'] = cost and cost.mac_pj + cost.ac_pj
    return row


def _chart(rows: Shares, salt: str) -> Markup:
    return Markup(to_svg(energy_bars(rows), salt))  # of numbers and names, which matplotlib escapes


def _memory_text(name: str, figure: Any) -> tuple[str, str]:
    """Name and figure of :func:`~spikemm.analysis.memory.memory_aware`, the unit of which ends its name, for people."""
    if isinstance(figure, int | float) or figure is None:
        for unit, text in (('_mj', lambda mj: energy_text(None if mj is None else 1e9 * mj)),
                           ('_bytes', lambda number: f'{si(number)}B')):  # fmt: skip
            if name.endswith(unit):
                return name.removesuffix(unit).replace('_', ' '), text(figure)
        return name.replace('_', ' '), si(figure)
    return name.replace('_', ' '), (', '.join(map(str, figure)) if isinstance(figure, list) else str(figure)) or 'none'


def _breakable(name: str) -> Markup:
    """Let a browser break a long name behind its dots."""
    return Markup('.<wbr>').join(str(name).split('.'))


def _finite(data: Any) -> Any:
    """Replace numbers that JSON does not have by null."""
    if isinstance(data, dict):
        return {key: _finite(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(value) for value in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data


def _columns(rows: list[list[str]]) -> str:
    """Align columns, the first to the left and the others to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return '\n'.join('  '.join(
        cell.rjust(width) if i else cell.ljust(width) for i, (cell, width) in enumerate(zip(row, widths, strict=True)))
        for row in rows)


def _text(value: Any) -> str:
    return '' if value is None else str(value)
