"""Time and memory of a training step of any configs, side by side.

    python tools/analysis_tools/benchmark_configs.py CONFIG [CONFIG ...] --size 512 --batch-size 2 --with-cp

Each round trains one step of every config on the same random images and objects, one after the other, so that a change
in the machine's speed meets them all; a ratio is the median of the rounds' ratios to the first config, with the
smallest and largest. Memory is what a step adds at its peak, each config in a process of its own; --with-cp measures it
with activation checkpointing (with_cp) in every part that has it as well.
"""

import argparse
import statistics
from pathlib import Path

import torch
from benchmark import in_own_process, memory, timed
from mmengine.config import Config
from mmengine.model import BaseModel, revert_sync_batchnorm
from mmengine.registry import DefaultScope
from mmengine.structures import PixelData

import spikemm  # noqa: F401  (before the task libraries)
from spikemm.registry import MODELS


class Step:
    """A training step of a config: call it to run forward and backward on one random batch."""

    def __init__(self, path: str, size: int, batch_size: int, with_cp: bool = False) -> None:
        torch.manual_seed(0)
        cfg = Config.fromfile(path)
        if 'data_preprocessor' in cfg:
            cfg.model.setdefault('data_preprocessor', cfg.data_preprocessor)
        cfg.model.backbone.init_cfg = None
        self.scope = DefaultScope.overwrite_default_scope(cfg.default_scope)
        with self.scope:
            self.model = self._firing(revert_sync_batchnorm(MODELS.build(cfg.model))).train()
        for module in self.model.modules():
            if hasattr(module, 'with_cp'):
                module.with_cp = with_cp
        if getattr(self.model.data_preprocessor, 'size', None):
            self.model.data_preprocessor.size = (size, size)  # mmseg pads to the size of its crops
        inputs = random_batch(cfg.default_scope, size, batch_size)
        self.data = self.model.data_preprocessor(inputs, training=True)

    @staticmethod
    def _firing(model: BaseModel) -> BaseModel:
        """Norms such that neurons of every layer fire, as in a trained model."""
        for module in model.modules():
            if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
                torch.nn.init.constant_(module.weight, 1.5)
                torch.nn.init.constant_(module.bias, 0.5)
        return model

    def __call__(self) -> None:
        self.model.zero_grad(set_to_none=True)
        losses = self.model(**self.data, mode='loss')
        self.model.parse_losses(losses)[0].backward()


def random_batch(scope: str, size: int, batch_size: int) -> dict:
    """Random images with classes, objects or a map of classes, of which every task library has at least ten."""
    if scope == 'mmdet':
        from mmdet.testing import demo_mm_inputs
        return demo_mm_inputs(batch_size, (3, size, size), num_items=[8] * batch_size, with_mask=True)
    inputs = torch.randint(256, (batch_size, 3, size, size), dtype=torch.uint8)
    if scope == 'mmseg':
        from mmseg.structures import SegDataSample
        samples = [SegDataSample(metainfo=dict(img_shape=(size, size))) for _ in inputs]
        for sample in samples:
            sample.gt_sem_seg = PixelData(data=torch.randint(10, (1, size, size)))
    else:
        from mmpretrain.structures import DataSample
        samples = [DataSample().set_gt_label(i % 10) for i in range(batch_size)]
    return dict(inputs=list(inputs), data_samples=samples)


def peak_memory(path: str, args: argparse.Namespace, with_cp: bool) -> float:
    """MiB that a step adds to what the process held before it."""
    torch.set_num_threads(args.threads)
    Step(path, 64, 2)()  # libraries' own buffers
    step = Step(path, args.size, args.batch_size, with_cp)
    before = memory('cpu', reset=True)
    step()
    return memory('cpu') - before


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('configs', nargs='+', help='config files; ratios are to the first')
    parser.add_argument('--size', type=int, default=512, help='height and width of the images, in pixels')
    parser.add_argument('--batch-size', type=int, default=2)
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--with-cp', action='store_true', help='measure memory with activation checkpointing as well')
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.set_flush_denormal(True)

    print(f'Training step, batch {args.batch_size}, {args.size}x{args.size}, {args.threads} threads')
    print('\n| config | time / first | memory, MiB | with checkpointing, MiB |\n|---|---|---|---|')
    steps = [Step(path, args.size, args.batch_size) for path in args.configs]
    rounds = [[timed(step, 'cpu') for step in steps] for _ in range(args.rounds + 1)][1:]  # the first warms up
    del steps
    for i, path in enumerate(args.configs):
        ratios = [times[i] / times[0] for times in rounds]
        cells = [Path(path).stem, f'{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})']
        plain = in_own_process(peak_memory, path, args, False)
        cells.append(f'{plain:.0f}')
        if args.with_cp:
            saved = in_own_process(peak_memory, path, args, True)
            cells.append(f'{saved:.0f} ({saved / plain - 1:+.0%})')
        print(f'| {" | ".join(cells)} |', flush=True)


if __name__ == '__main__':
    main()
