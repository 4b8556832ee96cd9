"""Pictures of what neurons send: maps of firing rates and rasters of spikes."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure

from spikemm.analysis.spikes import LayerSpikes
from spikemm.visualization.overlays import DPI

COLOURS = colormaps['viridis']  # told apart by people who are colour-blind, and in grey
INK, GREY, SILENT = '#1f2328', '#59636e', '#eaeef2'
MOST_STEPS = 16  # columns of maps
MOST_NEURONS = 100  # rows of a raster
MOST_POSITIONS = 145  # columns of a raster of one time step
GOLDEN = 0.618034
LABEL, BAR, GAP, LINE = 2.3, 0.75, 0.08, 0.19  # widths of names and colour bars, spaces, height of a line, in inches
HEAD = 0.55  # height of title and note, in inches
PANEL = 3.5, 3.0  # width and height of a raster with all around it, in inches


def firing_maps(layers: Sequence[LayerSpikes], inputs: Sequence[np.ndarray] = (), title: str = '') -> Figure:
    """Draw where the neurons of layers fire, one row a layer, one column a time step and, last, their mean.

    A pixel is the mean over the channels at that position; vectors are drawn as squares, a channel each, row by row.
    Each row has its own scale, and below each map stands its mean. Of many time steps some are drawn, evenly chosen.

    Args:
        layers: What the layers sent.
        inputs: What the network got, RGB, uint8, ``[H, W, 3]``: a picture of every time step, or one for all.
        title: Title.

    Returns:
        A figure to save with ``savefig('picture.png')``.

    Raises:
        ValueError: There is no layer.
    """
    _check(layers)
    T = max(len(layer.spikes) for layer in layers)
    steps = np.unique(np.linspace(0, T - 1, min(T, MOST_STEPS)).round().astype(int))
    headings = [f't = {step + 1}' for step in steps] + ['mean'] * (T > 1)
    grid = _Grid(headings, len(layers) + bool(len(inputs)), _aspect(layers, inputs))
    note = 'Colour: spikes a neuron and time step, mean over channels. Each row has its own scale.'
    _write_head(grid.figure, title, note + (f' {len(steps)} of {T} time steps.' if len(steps) < T else ''))
    if len(inputs):
        _draw_inputs(grid, inputs, steps)
    for row, layer in enumerate(layers, bool(len(inputs))):
        _draw_row(grid, row, layer, steps)
    return grid.figure


def spike_raster(layers: Sequence[LayerSpikes], title: str = '') -> Figure:
    """Draw the spikes of neurons, one panel a layer: time steps from left to right, neurons from the top to the bottom.

    Of a layer with many neurons some are drawn, evenly chosen, in the order of channels and then of positions. A layer
    of one time step has channels from the top to the bottom and positions from left to right; of one with vectors, all
    channels row by row. What is more than a spike, a number, has a colour and a scale.

    Args:
        layers: What the layers sent.
        title: Title.

    Returns:
        A figure to save with ``savefig('picture.png')``.

    Raises:
        ValueError: There is no layer.
    """
    _check(layers)
    columns = min(3, len(layers))
    figure = Figure((max(columns * PANEL[0], 6) + 0.1, HEAD + -(-len(layers) // columns) * PANEL[1]), dpi=DPI,
                    facecolor='white')
    note = 'A mark is a spike, white is none.'
    if any(len(layer.spikes) == 1 for layer in layers):
        note += ' Layers of one time step: channels and positions.'
    _write_head(figure, title, note)
    for i, layer in enumerate(layers):
        left, top = i % columns * PANEL[0], HEAD + i // columns * PANEL[1]
        ax = _axes(figure, left + 0.5, top + 2 * LINE + 0.1, PANEL[0] - 0.6, PANEL[1] - 2 * LINE - 0.6)
        ax.tick_params(labelsize=7, color=GREY, length=2)
        ax.spines[:].set(color=GREY, linewidth=0.6)
        shown = (_draw_raster if len(layer.spikes) > 1 else _draw_step)(ax, layer)
        facts = ', '.join(filter(None, (_rate(layer), shown, layer.part)))
        _write(figure, left + 0.1, top, _shorten(layer.name, 46), fontweight='bold')
        _write(figure, left + 0.1, top + 0.9 * LINE, facts, color=GREY, fontsize=7)
    return figure


def choose_neurons(number: int, most: int) -> np.ndarray:
    """Choose ``most`` of a ``number`` of neurons, or all if these are not twice as many: one of each of as many equal
    parts, at a place in it that differs from part to part, lest all are in the same column of a map."""
    if number < 2 * most:
        return np.arange(number)
    parts = np.arange(most)
    return ((parts + parts * GOLDEN % 1) * number / most).astype(int)


def _check(layers: Sequence[LayerSpikes]) -> None:
    if not len(layers):
        raise ValueError(f'`layers` must have at least one layer to draw, but got {layers!r}.')


def _aspect(layers: Sequence[LayerSpikes], inputs: Sequence[np.ndarray]) -> float:
    shape = inputs[0].shape[:2] if len(inputs) else layers[0].spikes.shape[2:]
    return float(np.clip(shape[0] / shape[1], 0.5, 1.6))


def _rates(layer: LayerSpikes) -> np.ndarray:
    """Mean over the channels ``[T, H, W]``; of vectors the channels themselves, as a square with NaN behind them."""
    spikes = layer.spikes.float()
    if spikes.shape[2:] == (1, 1):
        return _square(spikes[:, :, 0, 0].numpy())
    return spikes.mean(1).numpy()


def _square(vectors: np.ndarray) -> np.ndarray:
    """``[T, C]`` -> ``[T, h, w]``, row by row, with NaN behind them."""
    side = math.ceil(math.sqrt(vectors.shape[1]))
    rows = -(-vectors.shape[1] // side)
    padded = np.full((len(vectors), rows * side), np.nan, dtype=np.float32)
    padded[:, :vectors.shape[1]] = vectors
    return padded.reshape(-1, rows, side)


class _Grid:
    """A figure with rows of maps, all of one size; where there is one column only, long ones are broken into two."""

    def __init__(self, headings: Sequence[str], rows: int, aspect: float) -> None:
        self.columns = len(headings)
        self.width = 1.9 if self.columns == 1 else float(np.clip(10 / self.columns, 0.78, 1.4))
        self.height = self.width * aspect
        self.across = LABEL + self.columns * (self.width + GAP) + BAR
        self.down = max(self.height + LINE, 5 * LINE) + GAP
        blocks = 2 if self.columns == 1 and rows > 3 else 1
        self.rows = -(-rows // blocks)
        size = max(blocks * self.across, 6), HEAD + LINE + self.rows * self.down
        self.figure = Figure(size, dpi=DPI, facecolor='white')
        for column, heading in enumerate(headings if self.columns > 1 else ()):
            middle = LABEL + column * (self.width + GAP) + self.width / 2
            _write(self.figure, middle, HEAD + LINE - 0.03, heading, ha='center', va='bottom')

    def place(self, row: int, column: int) -> Axes:
        block, row = divmod(row, self.rows)
        left = block * self.across + LABEL + column * (self.width + GAP)
        ax = _axes(self.figure, left, HEAD + LINE + row * self.down, self.width, self.height)
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set(color=SILENT)
        return ax

    def name_row(self, row: int, name: str, lines: Sequence[str]) -> None:
        block, row = divmod(row, self.rows)
        named = [(line, {'fontweight': 'bold'}) for line in _wrap(name)]
        named += [(line, {'fontsize': 7, 'color': GREY}) for line in lines if line]
        for i, (line, style) in enumerate(named):
            _write(self.figure, block * self.across + 0.1, HEAD + LINE + row * self.down + 0.15 * i, line, **style)


def _draw_inputs(grid: _Grid, inputs: Sequence[np.ndarray], steps: np.ndarray) -> None:
    still = len(inputs) == 1
    for column, picture in enumerate(inputs if still else [inputs[step] for step in steps]):
        grid.place(0, column).imshow(picture, interpolation='nearest')
    same = 'the same at every time step' if still and len(steps) > 1 else ''
    grid.name_row(0, 'input', [f'{inputs[0].shape[0]} x {inputs[0].shape[1]} pixels', same])


def _draw_row(grid: _Grid, row: int, layer: LayerSpikes, steps: np.ndarray) -> None:
    maps = _rates(layer)
    T, C, H, W = layer.spikes.shape
    last = grid.columns - 1  # the mean over time; a layer behind the end of time has nothing else
    pictures = {column: (maps[step], layer.spikes[step].double().mean().item())
                for column, step in enumerate(steps) if step < T > 1}
    pictures[last] = maps.mean(0), layer.rate
    scale = _scale(maps)
    for column, (picture, rate) in pictures.items():
        ax = grid.place(row, column)
        if _is_silent(layer):
            _mark_silent(ax)
        else:
            ax.imshow(picture, cmap=COLOURS, norm=scale, interpolation='nearest')
            ax.set_xlabel(_number(rate), fontsize=7, color=INK, labelpad=1.5)
    grid.name_row(row, layer.name, [
        f'{C} channels' + (f' x {H} x {W}' if H * W > 1 else ', a square each'), layer.part, _rate(layer),
        'one time step' if T == 1 and last else ''])
    if not _is_silent(layer):
        _draw_bar(grid.place(row, grid.columns), scale)


def _scale(values: np.ndarray) -> Normalize:
    return Normalize(min(0.0, float(np.nanmin(values))), float(np.nanmax(values)))


def _draw_bar(ax: Axes, scale: Normalize) -> None:
    box = ax.get_position()
    ax.set_position([box.x0, box.y0, 0.09 / ax.figure.get_figwidth(), box.height])
    bar = ax.figure.colorbar(ScalarMappable(scale, COLOURS), cax=ax, ticks=[scale.vmin, scale.vmax])
    bar.ax.set_yticklabels([_number(scale.vmin), _number(scale.vmax)], fontsize=7, color=INK)
    bar.ax.tick_params(length=2, color=GREY)
    bar.outline.set(edgecolor=GREY, linewidth=0.4)


def _draw_raster(ax: Axes, layer: LayerSpikes) -> str:
    """Draw the spikes of several time steps, and return how many neurons are shown."""
    T, C = layer.spikes.shape[:2]
    neurons = layer.spikes.flatten(1)  # [T, neurons]
    chosen = choose_neurons(neurons.shape[1], MOST_NEURONS)
    values = neurons[:, chosen].float().numpy()
    times, rows = np.nonzero(values)
    box = ax.get_window_extent()
    across, down = (72 / DPI * pixels / count for pixels, count in ((box.width, T), (box.height, len(chosen))))
    ax.set(xlim=(0.5, T + 0.5), ylim=(len(chosen) - 0.5, -0.5), yticks=[0, len(chosen) - 1])
    ax.set_xticks(np.unique(np.linspace(1, T, min(T, 8)).round().astype(int)))
    of_channel = chosen * C // neurons.shape[1]
    ax.set_yticklabels([str(of_channel[0]), str(of_channel[-1])])
    ax.set_xlabel('time step', fontsize=7, labelpad=1)
    ax.set_ylabel('channel', fontsize=7, labelpad=-6)
    marks = ax.scatter(times + 1, rows, c=values[times, rows], marker='_', s=min(0.7 * across, 30) ** 2,
                       linewidths=min(0.8 * down, 3), **_inks(ax, layer))
    marks.set_clip_on(True)
    return f'{len(chosen)} of {neurons.shape[1]} neurons'


def _draw_step(ax: Axes, layer: LayerSpikes) -> str:
    """Draw the spikes of a single time step, channels against positions, and return how many are shown."""
    values = layer.spikes[0].flatten(1).float().numpy()  # [C, positions]
    values[values == 0] = np.nan  # white
    C, positions = values.shape
    inks = _inks(ax, layer)
    if positions == 1:
        picture = _square(values.T)[0]
        ax.imshow(picture, aspect='auto', interpolation='nearest', **inks)
        ax.set(xticks=[], yticks=[])
        ax.set_xlabel(f'{C} channels, row by row', fontsize=7, labelpad=2)
        return f'{C} of {C} neurons'
    rows, places = choose_neurons(C, MOST_NEURONS), choose_neurons(positions, MOST_POSITIONS)
    ax.imshow(values[np.ix_(rows, places)], aspect='auto', interpolation='nearest', **inks)
    for axis, chosen in ((ax.xaxis, places), (ax.yaxis, rows)):
        axis.set_ticks([0, len(chosen) - 1], [str(chosen[0]), str(chosen[-1])])
    ax.set_xlabel('position, row by row', fontsize=7, labelpad=-4)
    ax.set_ylabel('channel', fontsize=7, labelpad=-6)
    return f'{rows.size * places.size} of {values.size} neurons'


def _inks(ax: Axes, layer: LayerSpikes) -> dict:
    """Return the colours of a panel: two for spikes, a scale for numbers; a silent one is grey and says so."""
    if _is_silent(layer):
        _mark_silent(ax)
        return dict(cmap=ListedColormap([SILENT]))
    if _is_binary(layer):
        return dict(cmap=ListedColormap(['white', INK]), vmin=0, vmax=1)
    scale = _scale(layer.spikes.numpy())
    bar = ax.inset_axes([0.72, 1.03, 0.18, 0.035])
    ax.figure.colorbar(ScalarMappable(scale, COLOURS), cax=bar, orientation='horizontal', ticks=[])
    for place, value, side in ((0.7, scale.vmin, 'right'), (0.92, scale.vmax, 'left')):
        ax.text(place, 1.045, _number(value), ha=side, va='center', fontsize=7, transform=ax.transAxes)
    return dict(cmap=COLOURS, norm=scale)


def _axes(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    across, down = figure.get_size_inches()
    return figure.add_axes([left / across, 1 - (top + height) / down, width / across, height / down])


def _write(figure: Figure, left: float, top: float, text: str, **style) -> None:
    across, down = figure.get_size_inches()
    style = {'fontsize': 8, 'color': INK, 'va': 'top', **style}
    figure.text(left / across, 1 - top / down, text, **style)


def _write_head(figure: Figure, title: str, note: str) -> None:
    _write(figure, 0.1, 0.08, title, fontsize=10, fontweight='bold')
    _write(figure, 0.1, 0.08 + LINE * 1.1, note, color=GREY)


def _wrap(name: str, width: int = 30) -> list[str]:
    """Break a name at its dots."""
    lines = ['']
    for part in name.replace('.', '.\0').split('\0'):
        if len(lines[-1] + part) > width:
            lines.append('')
        lines[-1] += part
    return [line for line in lines if line]


def _shorten(name: str, width: int) -> str:
    return name if len(name) <= width else '...' + name[3 - width:].lstrip('.')


def _number(value: float) -> str:
    return '0' if value == 0 else f'{value:.3g}' if abs(value) >= 0.001 else f'{value:.0e}'


def _rate(layer: LayerSpikes) -> str:
    if _is_silent(layer):
        return 'silent'
    return f'rate {_number(layer.rate)}' + ('' if _is_binary(layer) else f', values up to {_number(layer.largest)}')


def _is_silent(layer: LayerSpikes) -> bool:
    return not layer.spikes.any()


def _is_binary(layer: LayerSpikes) -> bool:
    return bool(((layer.spikes == 0) | (layer.spikes == 1)).all())


def _mark_silent(ax: Axes) -> None:
    ax.set_facecolor(SILENT)
    ax.text(0.5, 0.5, 'silent', ha='center', va='center', color=GREY, fontsize=9, transform=ax.transAxes)
