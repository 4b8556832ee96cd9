"""Predict an event recording while it comes in: ``python demo/event_demo.py RECORDING CONFIG CHECKPOINT``."""

import argparse
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from PIL import Image

from spikemm.apis.command_line import one_line_errors
from spikemm.apis.inferencers import init_inferencer
from spikemm.visualization.events import draw_stream

PICTURES = 200  # at most; a picture takes as long as several windows
LAST = 2000  # how long the last picture stays, in ms


def thin(windows: Iterable[dict], most: int) -> tuple[list[dict], int, int]:
    """Go through windows and keep every k-th and the last, with k a power of two.

    Returns:
        At most ``most`` windows, k, and the number of all.
    """
    kept, every = [], 1
    for number, window in enumerate(windows):
        if number % every == 0:
            if len(kept) == most - 1:
                kept, every = kept[::2], 2 * every
            if number % every == 0:
                kept.append(window)
    return kept if kept[-1] is window else [*kept, window], every, number + 1


def between(kind: type, low: float, high: float) -> Callable[[str], float]:
    """Return an argparse type: a number of a ``kind`` from ``low`` to ``high``."""
    def number(text: str) -> float:
        value = kind(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f'must be {low} to {high}, but got {text}')
        return value
    return number


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description='Predict the class of an event recording, window after window, and draw that as a moving picture.')
    parser.add_argument('recording', help='file of an event camera')
    parser.add_argument('config', help='config file of a classifier of recordings')
    parser.add_argument('checkpoint', help='checkpoint file or URL')
    parser.add_argument('--out', type=Path, help='GIF to write (default: the name of the recording with _pred.gif)')
    parser.add_argument('--window-ms', type=between(float, 0.001, 1e9),
                        help='length of a window (default: the frames of the config)')
    parser.add_argument('--pause-ms', type=between(int, 10, 10_000), default=150,
                        help='how long a picture is shown (default: 150)')
    parser.add_argument('--device', help='cpu, cuda:0, ... (default: the GPU if there is one)')
    parser.add_argument('--topk', type=between(int, 1, 100), default=5,
                        help='number of classes to print and draw (default: 5)')
    args = parser.parse_args(argv)
    out = args.out or Path(f'{Path(args.recording).stem}_pred.gif')
    window_us = None if args.window_ms is None else round(args.window_ms * 1000)
    with one_line_errors(parser):
        if out.suffix.lower() != '.gif':
            raise ValueError(f'--out must end in .gif, but got {str(out)!r}.')
        inferencer = init_inferencer(args.config, args.checkpoint, args.device)
        if not hasattr(inferencer, 'stream'):
            raise ValueError(f'{args.config} must be a config that classifies event recordings.')
        windows, every, number = thin(inferencer.stream(args.recording, window_us), PICTURES)
    print(inferencer.describe(windows[-1], args.topk))
    drawn = draw_stream(windows, inferencer.classes, topk=args.topk, title=Path(args.recording).name)
    pictures = map(Image.fromarray, drawn)
    out.parent.mkdir(parents=True, exist_ok=True)
    durations = [args.pause_ms] * (len(windows) - 1) + [LAST]
    next(pictures).save(out, save_all=True, append_images=pictures, duration=durations, loop=0)
    print(f'Picture: {out}' + (f', one in {every} of {number} windows' if every > 1 else ''))


if __name__ == '__main__':
    main()
