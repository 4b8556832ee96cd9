"""Predict an image with a model of any task: ``python demo/image_demo.py IMAGE CONFIG CHECKPOINT``."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from spikemm.apis.command_line import one_line_errors
from spikemm.apis.inferencers import init_inferencer


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description='Predict the class, the objects or the segmentation of an image, as the config has it.')
    parser.add_argument('image', help='image file')
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file or URL')
    parser.add_argument('--out', type=Path, help='picture to write (default: the name of the image with _pred.png)')
    parser.add_argument('--device', help='cpu, cuda:0, ... (default: the GPU if there is one)')
    parser.add_argument('--topk', type=int, default=5, help='number of classes or objects to print (default: 5)')
    parser.add_argument('--score-thr', type=float, default=0.3, help='lowest score of an object (default: 0.3)')
    args = parser.parse_args(argv)
    out = args.out or Path(f'{Path(args.image).stem}_pred.png')
    with one_line_errors(parser):
        inferencer = init_inferencer(args.config, args.checkpoint, args.device)
        options = {'score_thr': args.score_thr} if inferencer.scope == 'mmdet' else {}
        prediction, = inferencer(args.image, **options)
    print(inferencer.describe(prediction, args.topk))
    out.parent.mkdir(parents=True, exist_ok=True)
    inferencer.draw([args.image], [prediction]).savefig(out)
    print(f'Picture: {out}')


if __name__ == '__main__':
    main()
