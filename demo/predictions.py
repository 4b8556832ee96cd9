"""Draw predictions on held-out images, mistakes marked: ``python demo/predictions.py CONFIG CHECKPOINT``."""

import argparse
import pickle
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mmengine.config import Config
from mmengine.registry import DATASETS, DefaultScope

from spikemm.apis.inferencers import init_inferencer


def draw_samples(dataset, number: int, seed: int) -> tuple[list[str], list[int]]:
    """Choose samples of a classification dataset at random; return their files and labels."""
    order = np.random.default_rng(seed).permutation(len(dataset))[:number]
    samples = [dataset.get_data_info(int(i)) for i in order]
    if 'img_path' not in samples[0]:
        raise ValueError(f'the test data must be image files, but {type(dataset).__name__} has none.')
    return [sample['img_path'] for sample in samples], [int(sample['gt_label']) for sample in samples]


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description='Draw the predictions for random images of the test data of a config.',
        formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument('config', help='config file of a classifier')
    parser.add_argument('checkpoint', help='checkpoint file or URL')
    parser.add_argument('--out', type=Path, default='predictions.png', help='picture to write')
    parser.add_argument('--number', type=int, default=40, help='number of images')
    parser.add_argument('--seed', type=int, default=0, help='decides which images')
    parser.add_argument('--device', help='cpu, cuda:0, ...; None is the GPU if there is one')
    args = parser.parse_args(argv)
    if args.number < 1:
        parser.error(f'--number must be at least 1, but got {args.number}')
    try:
        inferencer = init_inferencer(args.config, args.checkpoint, args.device)
        with DefaultScope.overwrite_default_scope(inferencer.scope):
            dataset = DATASETS.build(Config.fromfile(args.config).test_dataloader.dataset)
        images, labels = draw_samples(dataset, args.number, args.seed)
        predictions = inferencer(images, batch_size=32)
    except (OSError, RuntimeError, ValueError, pickle.UnpicklingError) as error:
        parser.exit(1, f'{parser.prog}: {error}\n')
    right = sum(p['pred_label'] == label for p, label in zip(predictions, labels, strict=True))
    summary = f'{right} of {len(images)} random test images right'
    figure = inferencer.draw(images, predictions, labels)
    figure.suptitle(f'Predicted class and score: {summary}')
    args.out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(args.out)
    print(f'{args.out}: {summary}.')


if __name__ == '__main__':
    main()
