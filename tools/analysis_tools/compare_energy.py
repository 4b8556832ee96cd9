"""Several models in one chart: what they reach, or how large they are, against the energy of a sample.

    python tools/analysis_tools/compare_energy.py A/report.json B/report.json --y accuracy/top1 --out chart.png
    python tools/analysis_tools/compare_energy.py A/report.json B/report.json --y parameters --out chart.svg

The reports are those of ``energy.py`` and ``tools/test.py --energy``; only the latter has metrics. They must be priced
by the same energy model. Spiking networks that were measured with random input or untrained weights are marked.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from spikemm.analysis import CONVENTIONS, EnergyReport
from spikemm.apis.command_line import one_line_errors
from spikemm.visualization.energy_charts import Point, comparison_chart
from spikemm.visualization.units import energy_text, rate_text, si

PARAMETERS = 'parameters'


def load(paths: Sequence[str], y: str, convention: str) -> list[EnergyReport]:
    """Read reports that can be compared.

    Raises:
        ValueError: One lacks ``y`` or ``convention``, or was priced by another energy model than the first.
    """
    reports = [EnergyReport.load(path) for path in paths]
    for path, report in zip(paths, reports, strict=True):
        if y != PARAMETERS and y not in report.metrics:
            has = [*report.metrics, PARAMETERS]
            raise ValueError(f'--y must be one of {has} for {path}, but got {y!r}.')
        if convention not in report.energies:
            raise ValueError(f'--convention must be one of {list(report.energies)} for {path}, but got {convention!r}.')
        model, first = (r.energies[convention].model for r in (report, reports[0]))
        if model != first:
            raise ValueError(f'Reports must be priced by one energy model, but {path} has {model.name!r} and '
                             f'{paths[0]} has {first.name!r}.')
    return reports


def doubt(report: EnergyReport) -> str:
    """Why the energy means nothing, in a few words; that of an ANN does not depend on what it reads."""
    return ', '.join(stamp.split(':')[0] for stamp in report.stamps()) if report.counts.neurons else ''


def table(reports: Sequence[EnergyReport], y: str, convention: str) -> str:
    """Return a table in Markdown, numbered like the chart from the thriftiest model."""
    lines = [f'| | model | {y} | energy ({convention}) | MACs | ACs | firing rate | audit |',
             '|--:|:--|--:|--:|--:|--:|--:|:--|']  # fmt: skip
    for number, report in enumerate(sorted(reports, key=lambda r: r.energies[convention].mj), 1):
        energy, counts = report.energies[convention], report.counts
        cells = [
            str(number), report.title + (f' **({doubt(report)})**' if doubt(report) else ''),
            si(counts.parameters) if y == PARAMETERS else f'{report.metrics[y]:.4g}', energy_text(1e9 * energy.mj),
            si(energy.macs), si(energy.acs), rate_text(counts.rate) if counts.neurons else '-',
            report.audit.verdict if report.audit else '-']
        lines.append(f'| {" | ".join(cells)} |')
    return '\n'.join(lines)


def draw(reports: Sequence[EnergyReport], y: str, convention: str, out: str) -> None:
    points = [
        Point(report.title, report.energies[convention].mj,
              report.counts.parameters if y == PARAMETERS else report.metrics[y], doubt(report))
        for report in reports]  # fmt: skip
    model = reports[0].energies[convention].model.name
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    comparison_chart(points, f'energy of a sample, mJ ({convention}, {model})', y).savefig(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('reports', nargs='+', help='report.json files')
    parser.add_argument('--y', default=PARAMETERS, help='parameters (default) or a metric, such as accuracy/top1')
    parser.add_argument('--convention', choices=CONVENTIONS, default='exact', help='of the energy (default: exact)')
    parser.add_argument('--out', default='energy.png', help='file of the chart (default: energy.png)')
    args = parser.parse_args()
    with one_line_errors(parser):
        reports = load(args.reports, args.y, args.convention)
        draw(reports, args.y, args.convention, args.out)
    print(table(reports, args.y, args.convention))
    print(f'\nChart: {args.out}')


if __name__ == '__main__':
    main()
