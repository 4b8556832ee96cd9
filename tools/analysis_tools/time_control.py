"""Does a classifier of events use time? Its accuracy with the time steps in order, reversed, shuffled and averaged.

    python tools/analysis_tools/time_control.py CONFIG CHECKPOINT

If time carried nothing, the order would not matter and the mean of the frames, shown at every step, would do as well.
'Changed' counts the samples that are predicted otherwise than with the steps in order.
"""

import argparse
from collections.abc import Iterator

import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from torch import Tensor

from spikemm.apis.inferencers.base import load_model
from spikemm.engine.cpu import flush_denormals


def controls(clips: Tensor, shuffles: int) -> Iterator[tuple[str, Tensor]]:
    """The clips ``[T, B, C, H, W]`` as they are and with their time steps changed, by name."""
    T = len(clips)
    yield 'in order', clips
    yield 'reversed', clips.flip(0)
    generator = torch.Generator().manual_seed(0)
    orders = [order for order in (torch.randperm(T, generator=generator) for _ in range(100))
              if not torch.equal(order, torch.arange(T))]
    for order in orders[:shuffles]:
        yield f'shuffled: {" ".join(str(t) for t in order.tolist())}', clips[order]
    yield 'mean frame at every step', clips.mean(0, keepdim=True).expand_as(clips)


@torch.no_grad()
def measure(cfg: Config, checkpoint: str, shuffles: int) -> dict[str, list[tuple[Tensor, Tensor]]]:
    """Predicted and true classes of every batch of the test data, for each control."""
    found: dict[str, list[tuple[Tensor, Tensor]]] = {}
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        model = load_model(cfg, checkpoint)[0].eval()
        for batch in Runner.build_dataloader(cfg.test_dataloader, seed=0):
            data = model.data_preprocessor(batch)
            if data['inputs'].ndim != 5 or len(data['inputs']) < 2:
                shape = tuple(data['inputs'].shape)
                raise ValueError(f'A clip must be [T, B, C, H, W] with 2 time steps or more, but got {shape}.')
            labels = torch.cat([sample.gt_label for sample in data['data_samples']])
            for name, clips in controls(data['inputs'], shuffles):
                found.setdefault(name, []).append((model(clips, mode='tensor').argmax(1), labels))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config file of a classifier of events')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--shuffles', type=int, default=5, help='random orders to try (default: 5)')
    args = parser.parse_args()
    flush_denormals()
    found = {name: [torch.cat(column) for column in zip(*batches, strict=True)]
             for name, batches in measure(Config.fromfile(args.config), args.checkpoint, args.shuffles).items()}
    in_order = found['in order'][0]
    print('| time steps | top-1 (%) | changed (%) |\n|:--|:-:|:-:|')
    for name, (predicted, labels) in found.items():
        right, changed = (predicted == labels).double().mean(), (predicted != in_order).double().mean()
        print(f'| {name} | {100 * right:.2f} | {100 * changed:.2f} |')


if __name__ == '__main__':
    main()
