"""Draw predictions on held-out data, mistakes marked: ``python demo/predictions.py CONFIG CHECKPOINT``."""

import argparse
import pickle
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mmengine.config import Config
from mmengine.registry import DATASETS, DefaultScope

from spikemm.apis.inferencers import init_inferencer


def draw_samples(dataset, number: int, seed: int) -> tuple[list[str | dict], list[int]]:
    """Choose samples of a classification dataset at random; return what their inferencer takes, and their labels."""
    order = np.random.default_rng(seed).permutation(len(dataset))[:number]
    samples = [dataset.get_data_info(int(i)) for i in order]
    if 'gt_label' not in samples[0] or not {'img_path', 'event_path'} & samples[0].keys():
        raise ValueError('the test data must be image files or event recordings with a class each, but those of '
                         f'{type(dataset).__name__} are not.')
    labels = [int(sample['gt_label']) for sample in samples]
    return [sample.get('img_path') or sample for sample in samples], labels


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description='Draw the predictions for random images or recordings of the test data of a config.',
        formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument('config', help='config file of a classifier')
    parser.add_argument('checkpoint', help='checkpoint file or URL')
    parser.add_argument('--out', type=Path, default='predictions.png', help='picture to write')
    parser.add_argument('--number', type=int, default=40, help='number of samples')
    parser.add_argument('--seed', type=int, default=0, help='decides which samples')
    parser.add_argument('--device', help='cpu, cuda:0, ...; None is the GPU if there is one')
    args = parser.parse_args(argv)
    if args.number < 1:
        parser.error(f'--number must be at least 1, but got {args.number}')
    try:
        inferencer = init_inferencer(args.config, args.checkpoint, args.device)
        with DefaultScope.overwrite_default_scope(inferencer.scope):
            dataset = DATASETS.build(Config.fromfile(args.config).test_dataloader.dataset)
        samples, labels = draw_samples(dataset, args.number, args.seed)
        predictions = inferencer(samples, batch_size=32)
    except (OSError, RuntimeError, ValueError, pickle.UnpicklingError) as error:
        parser.exit(1, f'{parser.prog}: {error}\n')
    kind = 'recordings' if isinstance(samples[0], dict) else 'images'
    right = sum(p['pred_label'] == label for p, label in zip(predictions, labels, strict=True))
    summary = f'{right} of {len(samples)} random test {kind} right'
    figure = inferencer.draw(samples, predictions, labels)
    figure.suptitle(f'Predicted class and score: {summary}')
    args.out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(args.out)
    print(f'{args.out}: {summary}.')


if __name__ == '__main__':
    main()
