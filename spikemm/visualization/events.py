"""Pictures of events, and of what a network makes of them while they come in."""

from collections.abc import Iterator, Sequence
from os.path import splitext

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from mmengine.structures import BaseDataElement
from torch import Tensor

from spikemm.visualization.overlays import DPI, beside, has_classes

ON, OFF, GREY = '#d1242f', '#0969da', '#8c959f'
INKS = np.array([[0x09, 0x69, 0xda], [0xd1, 0x24, 0x2f]]) / 255  # OFF and ON, as they are in a frame
EDGE = 208  # grey of the line around a time step
LINES = ['#1a7f37', '#bc4c00', '#8250df', '#bf8700', '#57606a']
TILE, ROW = 200, 1280  # about the longer side of a time step in a picture, and its widest row, in pixels
FULL = 0.95  # share of the pixels with events that are not drawn in full colour


def draw_frame(frame: np.ndarray, full: float | None = None) -> np.ndarray:
    """Draw the events of a frame on white, ON red and OFF blue; a pixel that has both is purple.

    Args:
        frame: Number of events ``[2, H, W]``, OFF then ON, or their sum with signs ``[1, H, W]``.
        full: Number that is drawn in full colour; None chooses it by the frame.

    Returns:
        RGB, uint8, ``[H, W, 3]``.
    """
    counts = np.concatenate([-frame, frame]) if len(frame) == 1 else frame
    counts = np.maximum(counts, 0.0)
    full = full or fullest([counts])
    inks = np.sqrt(np.minimum(counts / full, 1))[..., None] * (1 - INKS[:, None, None])  # what each takes from white
    return ((1 - np.minimum(inks.sum(0), 1)) * 255).round().astype(np.uint8)


def draw_clip(clip: np.ndarray) -> np.ndarray:
    """Draw the frames of a clip ``[T, C, H, W]`` in the order of reading, small ones enlarged; return RGB."""
    full = fullest(clip)
    factor = max(1, round(TILE / max(clip.shape[2:])))
    tiles = [draw_frame(frame, full).repeat(factor, 0).repeat(factor, 1) for frame in clip]
    rows = -(-len(tiles) // max(1, ROW // tiles[0].shape[1]))
    framed = [np.pad(tile, ((1, 1), (1, 1), (0, 0)), constant_values=EDGE) for tile in tiles]
    return beside(framed, -(-len(tiles) // rows))


def draw_events(inputs: Tensor, sample: BaseDataElement, channels: int) -> np.ndarray:
    """Draw what the network gets of a sample.

    Of a sample of classification these are all time steps, for their sum would hide a motion, which the class may be.
    Boxes and maps are for the whole clip: they are drawn on its sum.

    Args:
        inputs: Clip ``[T * C, H, W]`` or ``[T, C, H, W]``.
        sample: Its data sample.
        channels: Channels ``C`` of a time step: 2 polarities, or 1 with signs.

    Returns:
        RGB, uint8, ``[H, W, 3]``.

    Raises:
        ValueError: There are more than 2 ``channels``.
    """
    if channels not in (1, 2):
        raise ValueError(f'`channels` must be 1 or 2 for events to be drawn, but got {channels!r}.')
    clip = inputs.cpu().float().reshape(-1, channels, *inputs.shape[-2:]).numpy()
    return draw_clip(clip) if has_classes(sample) else draw_frame(clip.sum(0))


def name_recording(info: dict) -> str:
    """Return what a picture of a dataset's sample is to be named after: its recording, and the times if it is a part.

    Args:
        info: What the dataset knows of the sample, of its ``get_data_info``.
    """
    path = str(info.get('event_path') or info['frame_dir'])
    if info.get('t_range') is None:
        return path
    root, suffix = splitext(path)
    return f'{root}_{info["t_range"][0]}-{info["t_range"][1]}us{suffix}'


def fullest(frames: Sequence[np.ndarray]) -> float:
    """Return the number of events that frames are to be drawn with in full colour, so that a few hot pixels do not make
    all others pale."""
    seen = np.concatenate([np.abs(frame[frame != 0]).ravel() for frame in frames])
    return float(max(1.0, np.quantile(seen, FULL))) if seen.size else 1.0


def draw_stream(
    windows: Sequence[dict], classes: Sequence[str], *, topk: int = 5, title: str = '',
) -> Iterator[np.ndarray]:
    """Draw for each window of a stream its events, the confidence in the best classes, and how it came about.

    Args:
        windows: All windows, as ``EventInferencer.stream`` yields them.
        classes: Names of the classes.
        topk: Number of classes shown: those that are best at the end.
        title: What the recording is called.

    Yields:
        RGB, uint8, ``[H, W, 3]``, one a window.
    """
    scores = np.stack([window['pred_scores'] for window in windows])  # [windows, classes]
    best = np.argsort(-scores[-1], kind='stable')[:topk]
    names = [str(classes[label]) for label in best]
    times = (np.array([window['end'] for window in windows]) - windows[0]['start']) / 1000
    full = fullest([window['frame'] for window in windows])
    figure = Figure((4.4, 6.6), dpi=DPI, layout='constrained', facecolor='white')
    figure.get_layout_engine().set(w_pad=0.12, h_pad=0.08)  # inches
    events, bars, curve = figure.subplots(3, 1, height_ratios=[11, max(2.2, 0.75 * len(best)), 4.2])
    _prepare_events(events, title)
    _prepare_bars(bars, names)
    _prepare_curve(curve, times[-1])
    canvas = FigureCanvasAgg(figure)
    for k, window in enumerate(windows):
        artists = [*_draw_events(events, draw_frame(window['frame'], full), times[k]),
                   *_draw_bars(bars, scores[k, best]), *_draw_curve(curve, times[:k + 1], scores[:k + 1, best])]
        canvas.draw()
        yield np.asarray(canvas.buffer_rgba())[..., :3].copy()
        figure.set_layout_engine('none')  # that of the first picture stays: to find one takes as long as to draw
        for artist in artists:
            artist.remove()


def _prepare_events(ax, title: str) -> None:
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set(color=GREY)
    ax.set_title(title, loc='left', fontsize=10, fontweight='bold')
    for place, colour, text in ((0.0, ON, 'ON'), (0.1, OFF, 'OFF')):
        ax.text(place, -0.02, text, color=colour, fontsize=8, va='top', transform=ax.transAxes)


def _draw_events(ax, picture: np.ndarray, time: float) -> list:
    ax.set_title(f'{time:.0f} ms', loc='right', fontsize=10, family='monospace')
    return [ax.imshow(picture, interpolation='nearest')]


def _prepare_bars(ax, names: Sequence[str]) -> None:
    ax.set(xlim=(0, 1.13), ylim=(len(names) - 0.4, -0.6), yticks=np.arange(len(names)), xticks=[])
    ax.set_yticklabels(names, fontsize=9)
    ax.tick_params(length=0)
    ax.spines[['top', 'right', 'bottom']].set_visible(False)
    ax.spines['left'].set_color(GREY)


def _draw_bars(ax, scores: np.ndarray) -> list:
    for row, label in enumerate(ax.get_yticklabels()):
        label.set_fontweight('bold' if row == np.argmax(scores) else 'normal')
    texts = [ax.text(min(score, 1) + 0.015, row, f'{score:.0%}', va='center', fontsize=8)
             for row, score in enumerate(scores)]
    return [ax.barh(np.arange(len(scores)), scores, color=_colours(len(scores)), height=0.7), *texts]


def _prepare_curve(ax, end: float) -> None:
    ax.set(xlim=(0, end), ylim=(0, 1.02), yticks=[0, 0.5, 1])
    ax.set_yticklabels(['0 %', '50 %', '100 %'])
    ax.set_xlabel('time in ms', fontsize=8)
    ax.set_title('Confidence so far', loc='left', fontsize=8, color='#57606a')
    ax.tick_params(labelsize=8, color=GREY)
    ax.grid(axis='y', color='#eaeef2')
    ax.spines[['top', 'right']].set_visible(False)
    ax.spines[['left', 'bottom']].set_color(GREY)


def _draw_curve(ax, times: np.ndarray, scores: np.ndarray) -> list:
    artists = []
    for colour, line in reversed(list(zip(_colours(scores.shape[1]), scores.T, strict=True))):
        artists += ax.plot(times, line, color=colour, linewidth=1.6)
        artists += ax.plot(times[-1], line[-1], 'o', color=colour, markersize=4, clip_on=False)
    return artists


def _colours(number: int) -> list[str]:
    return [LINES[min(i, len(LINES) - 1)] for i in range(number)]
