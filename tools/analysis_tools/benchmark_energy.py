"""What counting operations costs: forward passes with and without it, as ratios measured side by side.

    python tools/analysis_tools/benchmark_energy.py                                       # the table of docs/energy.md
    python tools/analysis_tools/benchmark_energy.py CONFIG --batch-size 8 --graph train   # of any config

Each round runs both, one after the other, so that a change in the machine's speed meets both; a ratio is the median of
the rounds' ratios, with the smallest and largest. The model is folded as it is counted by default. Inputs are random,
of the size that the config says, and the weights untrained, with norms such that neurons fire at the rate of the last
column.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.registry import DefaultScope
from torch.nn.modules.batchnorm import _BatchNorm

from spikemm.analysis.inputs import build_model, config_shape, random_batch
from spikemm.analysis.measure import GRAPHS, Meter

CONFIGS = Path(__file__).parents[2] / 'configs'
DEFAULT = (  # with a batch
    ('meta_spikeformer/sdtv2-nano_t1_1xb64-8e_digit-scenes.py', 64),
    ('meta_spikeformer/sdtv2-nano_t4_1xb64-8e_digit-scenes-events.py', 64),
    ('meta_spikeformer/sdtv2-15m_t1_8xb128-200e_in1k.py', 4),
    ('meta_spikeformer/sdtv2-15m_t4_8xb24-50e_in1k.py', 2),
    ('mask_rcnn/mask-rcnn_sdtv2-nano_t1_1xb8-1e_digit-scenes.py', 1),
    ('semantic_fpn/fpn_sdtv2-15m_t1_8xb2-160k_ade20k-512x512.py', 1))


def build(cfg: Config) -> BaseModel:
    """Build a model whose neurons fire in every layer, as in a trained one."""
    torch.manual_seed(0)
    cfg.model.backbone.init_cfg = None
    model = build_model(cfg)
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            torch.nn.init.constant_(module.weight, 1.5)
            torch.nn.init.constant_(module.bias, 0.5)
            torch.nn.init.constant_(module.running_var, 0.1)
    return model


def timed(run: Callable, data: dict) -> float:
    start = time.perf_counter()
    run(data)
    return time.perf_counter() - start


@torch.no_grad()
def compare(path: Path, batch_size: int, args: argparse.Namespace) -> str:
    """Return a row of the table."""
    cfg = Config.fromfile(path)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        meter = Meter(build(cfg), args.graph)
        data = random_batch(cfg.default_scope, config_shape(cfg), batch_size)
        meter.run(data)  # the first run audits, too
        pairs = [(timed(meter.forward, data), timed(meter.run, data)) for _ in range(args.rounds)]
    ratios = [counted / plain for plain, counted in pairs]
    plain, counted = (1e3 * statistics.median(times) / batch_size for times in zip(*pairs, strict=True))
    return (f'| {path.stem}, batch {batch_size} | {plain:.1f} | {counted:.1f} | {statistics.median(ratios):.2f} '
            f'({min(ratios):.2f}-{max(ratios):.2f}) | {meter.counter.counts().rate:.2f} |')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('configs', nargs='*', type=Path, help='config files (default: those of the table)')
    parser.add_argument('--batch-size', type=int, default=1, help='of configs that are given (default: 1)')
    parser.add_argument('--graph', choices=GRAPHS, default='auto')
    parser.add_argument('--rounds', type=int, default=9)
    parser.add_argument('--threads', type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.set_flush_denormal(True)
    print(f'{args.threads} threads\n\n| | forward, ms a sample | counted, ms | counted / forward | firing rate |')
    print('|---|---|---|---|---|')
    for path, size in [(path, args.batch_size) for path in args.configs] or [(CONFIGS / p, n) for p, n in DEFAULT]:
        print(compare(path, size, args), flush=True)


if __name__ == '__main__':
    main()
