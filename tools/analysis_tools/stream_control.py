"""Does a stream end where a whole recording does? Predictions in windows against those of whole recordings.

    python tools/analysis_tools/stream_control.py CONFIG CHECKPOINT --window-ms 25 50 100

The first rows are calls with whole recordings and streams in the windows of the config's own frames, which must agree
to rounding; the others are streams in windows of the lengths given. 'Difference' is the largest of any score.
"""

import argparse
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from mmengine.config import Config
from mmengine.registry import DATASETS, DefaultScope

from spikemm.apis.inferencers import init_inferencer
from spikemm.apis.inferencers.base import test_dataset
from spikemm.apis.inferencers.events import EventInferencer
from spikemm.engine.cpu import flush_denormals


def ways(inferencer: EventInferencer, windows_ms: list[float]) -> Iterator[tuple[str, Callable[[dict], dict]]]:
    """Ways of predicting a sample, by name."""
    def end_of_stream(sample: dict, window_us: int | None = None) -> dict:
        *_, last = inferencer.stream(sample, window_us)
        return last

    yield 'whole recording', lambda sample: inferencer([sample])[0]
    yield "stream, the config's windows", end_of_stream
    for ms in windows_ms:
        yield f'stream, windows of {ms:g} ms', partial(end_of_stream, window_us=round(ms * 1000))


def choose(config: str, scope: str, number: int) -> list[dict]:
    """Samples of the test data, the same each time."""
    with DefaultScope.overwrite_default_scope(scope):
        dataset = DATASETS.build(test_dataset(Config.fromfile(config)))
    return [dataset.get_data_info(int(i)) for i in np.random.default_rng(0).permutation(len(dataset))[:number]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config file of a classifier of events')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--window-ms', type=float, nargs='+', default=[], help='lengths of windows to try')
    parser.add_argument('--number', type=int, default=200, help='recordings of the test data (default: 200)')
    args = parser.parse_args()
    flush_denormals()
    inferencer = init_inferencer(args.config, args.checkpoint)
    if not isinstance(inferencer, EventInferencer):
        parser.error(f'{args.config} must be a config that classifies event recordings.')
    samples = choose(args.config, inferencer.scope, args.number)
    print(f'{len(samples)} recordings\n\n| | top-1 (%) | same class (%) | difference |\n|:--|:-:|:-:|:-:|')
    whole: list[dict] = []
    for name, predict in ways(inferencer, args.window_ms):
        found = [predict(sample) for sample in samples]
        whole = whole or found
        pairs = list(zip(found, whole, strict=True))
        right = np.mean([p['pred_label'] == sample['gt_label'] for p, sample in zip(found, samples, strict=True)])
        same = np.mean([p['pred_label'] == w['pred_label'] for p, w in pairs])
        difference = max(np.abs(p['pred_scores'] - w['pred_scores']).max() for p, w in pairs)
        print(f'| {name} | {100 * right:.1f} | {100 * same:.1f} | {difference:.1g} |', flush=True)


if __name__ == '__main__':
    main()
