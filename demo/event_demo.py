"""Predict an event recording while it comes in: ``python demo/event_demo.py RECORDING CONFIG CHECKPOINT``."""

import argparse
import pickle
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from spikemm.apis.inferencers import init_inferencer
from spikemm.visualization.events import draw_stream

LAST = 2000  # how long the last picture stays, in ms


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description='Predict the class of an event recording, window after window, and draw that as a moving picture.')
    parser.add_argument('recording', help='file of an event camera')
    parser.add_argument('config', help='config file of a classifier of recordings')
    parser.add_argument('checkpoint', help='checkpoint file or URL')
    parser.add_argument('--out', type=Path, help='GIF to write (default: the name of the recording with _pred.gif)')
    parser.add_argument('--window-ms', type=float, help='length of a window (default: the frames of the config)')
    parser.add_argument('--pause-ms', type=int, default=150, help='how long a picture is shown (default: 150)')
    parser.add_argument('--device', help='cpu, cuda:0, ... (default: the GPU if there is one)')
    parser.add_argument('--topk', type=int, default=5, help='number of classes to print and draw (default: 5)')
    args = parser.parse_args(argv)
    out = args.out or Path(f'{Path(args.recording).stem}_pred.gif')
    window_us = None if args.window_ms is None else round(args.window_ms * 1000)
    try:
        if out.suffix.lower() != '.gif':
            raise ValueError(f'--out must end in .gif, but got {str(out)!r}.')
        inferencer = init_inferencer(args.config, args.checkpoint, args.device)
        if not hasattr(inferencer, 'stream'):
            raise ValueError(f'{args.config} must be a config that classifies event recordings.')
        windows = list(inferencer.stream(args.recording, window_us))
    except (KeyError, OSError, RuntimeError, SyntaxError, TypeError, ValueError, pickle.UnpicklingError) as error:
        message = ' '.join(str(error).split())
        parser.exit(1, f'{parser.prog}: {message}\n')
    print(inferencer.describe(windows[-1], args.topk))
    drawn = draw_stream(windows, inferencer.classes, topk=args.topk, title=Path(args.recording).name)
    first, *others = map(Image.fromarray, drawn)
    out.parent.mkdir(parents=True, exist_ok=True)
    durations = [args.pause_ms] * len(others) + [LAST]
    first.save(out, save_all=True, append_images=others, duration=durations, loop=0)
    print(f'Picture: {out}')


if __name__ == '__main__':
    main()
