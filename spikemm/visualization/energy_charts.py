"""Charts of energy reports: where a model spends its energy, and models against each other."""

import io
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator

from .units import energy_text, si, unit_of_energy

# Okabe and Ito's colours, which the colour-blind tell apart; an operation not named here is grey.
COLOURS = {
    'encoding': '#CC79A7', 'convolution': '#0072B2', 'linear': '#E69F00', 'attention products': '#009E73'}
OTHER = '#8a8a8a'
INK = '#1f2328'
DOT = '#0072B2'
STAMP = '#b3001b'  # of figures that mean nothing
STYLE = {
    'font.family': 'DejaVu Sans', 'font.size': 9, 'svg.fonttype': 'none', 'hatch.linewidth': 1.2, 'text.color': INK,
    'axes.labelcolor': INK, 'axes.edgecolor': '#8c959f', 'xtick.color': INK, 'ytick.color': INK,
    'axes.spines.top': False, 'axes.spines.right': False}
ROW, MARGINS = 0.3, 1.25  # height of a bar, and of what is above and below the bars, in inches

Shares = Mapping[str, Mapping[str, tuple[float, float]]]


class Point(NamedTuple):
    """A model in a comparison.

    Args:
        label: Its name.
        mj: Energy of a sample in mJ.
        y: What it is compared by.
        doubt: Why its energy means nothing, such as 'random input'; empty if it does.
    """

    label: str
    mj: float
    y: float
    doubt: str = ''


def energy_bars(rows: Shares, width: float = 7.0) -> Figure:
    """Draw a bar of energy for every row, stacked by operation; multiply-accumulates are hatched.

    Args:
        rows: Of every row, such as a stage, the operations' energies ``(MAC, AC)`` in pJ.
        width: Of the figure in inches.
    """
    with matplotlib.rc_context(STYLE):
        fig = _figure(width, MARGINS + ROW * len(rows))
        ax = fig.add_subplot()
        totals = [sum(map(sum, operations.values())) for operations in rows.values()]
        largest = max(totals, default=0) or 1.0
        for at, operations in enumerate(rows.values()):
            left = 0.0
            for operation, parts in operations.items():
                for pj, hatch in zip(parts, ('/////', None), strict=True):
                    ax.barh(at, pj, left=left, height=0.72, color=COLOURS.get(operation, OTHER), hatch=hatch,
                            edgecolor='white', linewidth=0.4)  # fmt: skip
                    left += pj
            ax.text(left + largest * 0.01, at, energy_text(left), va='center')
        ax.set_yticks(range(len(rows)), [_shorten(row) for row in rows])
        ax.set_ylim(len(rows) - 0.4, -0.6)
        ax.set_xlim(0, largest * 1.16)
        factor, unit = unit_of_energy(largest)
        ax.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda pj, _: f'{pj / factor:g}'))
        ax.set_xlabel(f'{unit} a sample')
        ax.tick_params(axis='y', length=0)
        _legend(fig, rows)
    return fig


def comparison_chart(points: Sequence[Point], x_label: str, y_label: str) -> Figure:
    """Draw models as points, energy to the right, numbered from the thriftiest.

    Args:
        points: The models; those in doubt are drawn hollow and in red.
        x_label: Name of the axis of energy, in mJ.
        y_label: Name of the other axis.
    """
    with matplotlib.rc_context({**STYLE, 'font.size': 10}):
        fig = _figure(7.5, 4.8 + 0.24 * len(points))
        ax = fig.add_subplot()
        energies = [point.mj for point in points if point.mj > 0]
        if energies and max(energies) > 10 * min(energies):
            ax.set_xscale('log')
        ax.grid(color='#d8dee4', linewidth=0.6)
        handles = []
        for number, point in enumerate(sorted(points, key=lambda point: point.mj), 1):
            edge, fill, ink = (STAMP, 'white', STAMP) if point.doubt else (DOT, DOT, 'white')
            label = f'{number}  {point.label}' + (f' ({point.doubt})' if point.doubt else '')
            handles += ax.plot(point.mj, point.y, 'o', markersize=12, color=edge, markerfacecolor=fill, label=label)
            ax.annotate(str(number), (point.mj, point.y), color=ink, ha='center', va='center', fontsize=8)
        ax.set_xlabel(x_label)
        ax.set_ylabel(y_label)
        ax.yaxis.set_major_formatter(FuncFormatter(lambda y, _: si(y, 3) if abs(y) >= 1e4 else f'{y:g}'))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda mj, _: f'{mj:g}'))
        ax.margins(0.1)
        names = fig.legend(handles=handles, loc='outside lower left', frameon=False, markerscale=0.6)
        for text, handle in zip(names.get_texts(), handles, strict=True):
            text.set_color(STAMP if handle.get_markerfacecolor() == 'white' else INK)
    return fig


def shade(rate: float, largest: float | None = 1.0) -> tuple[str, str]:
    """Return the colours of a firing rate's cell and of the number on it.

    Args:
        rate: The rate; four times the rate is twice the ink, so that small ones differ.
        largest: The rate that is darkest, if it is above 1; None where it was not measured.
    """
    share = min(max(rate / max(largest or 1.0, 1.0), 0.0), 1.0) ** 0.5
    cell = matplotlib.colormaps['Blues'](0.9 * share)
    return matplotlib.colors.to_hex(cell), '#ffffff' if share > 0.7 else INK


def to_svg(figure: Figure, salt: str) -> str:
    """Return a figure as an ``<svg>`` element for HTML; ``salt`` keeps its ids apart from other figures' there."""
    text = io.StringIO()
    with matplotlib.rc_context({**STYLE, 'svg.hashsalt': salt}):
        figure.savefig(text, format='svg', metadata={'Date': None, 'Creator': None, 'Format': None, 'Type': None})
    return text.getvalue()[text.getvalue().index('<svg'):]


def _figure(width: float, height: float) -> Figure:
    figure = Figure((width, height), dpi=150, layout='constrained')
    FigureCanvasAgg(figure)
    return figure


def _legend(fig: Figure, rows: Shares) -> None:
    drawn = dict.fromkeys(operation for operations in rows.values() for operation in operations)
    handles = [Patch(facecolor=COLOURS.get(name, OTHER), label=name) for name in drawn]
    handles.append(Patch(facecolor='#57606a', edgecolor='white', hatch='/////', label='multiply-accumulates'))
    handles.append(Patch(facecolor='#57606a', label='accumulates'))
    fig.legend(handles=handles, loc='outside upper left', ncols=3, frameon=False, handlelength=1.6, columnspacing=1.4)


def _shorten(name: str, longest: int = 44) -> str:
    return name if len(name) <= longest else f'{name[:longest // 2 - 1]}…{name[-(longest // 2):]}'
