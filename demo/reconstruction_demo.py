"""Draw what masked pre-training makes of images: ``python demo/reconstruction_demo.py CONFIG CHECKPOINT IMAGES``."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.dataset import Compose, default_collate
from mmengine.registry import DefaultScope
from mmengine.runner import load_checkpoint
from torch import nn

from spikemm.analysis.inputs import build_model
from spikemm.apis.command_line import one_line_errors
from spikemm.visualization.reconstruction import draw_reconstructions, reconstruct


def read_images(paths: Sequence[str], side: int, preprocessor: nn.Module) -> torch.Tensor:
    """Return the middle of image files, ``[B, 3, side, side]``, normalised as for the model."""
    steps = [
        dict(type='spikemm.LoadImage'),
        dict(type='ResizeEdge', scale=side, edge='short', backend='pillow', interpolation='bicubic'),
        dict(type='CenterCrop', crop_size=side),
        dict(type='PackInputs'),
    ]
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        samples = [Compose(steps)(dict(img_path=path)) for path in paths]
    return preprocessor(default_collate(samples))['inputs']


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description='Mask images at random, let a pre-trained model predict the missing pixels, and draw both. Each '
        'patch is given its true mean and deviation where the config normalises pixels: the model predicts no others.')
    parser.add_argument('config', help='config file of a masked pre-training (MAE)')
    parser.add_argument('checkpoint', help='checkpoint file or URL')
    parser.add_argument('images', nargs='+', help='image files')
    parser.add_argument('--out', type=Path, default=Path('reconstruction.png'), help='picture to write')
    parser.add_argument('--seed', type=int, default=0, help='decides which patches are masked')
    args = parser.parse_args(argv)
    with one_line_errors(parser):
        cfg = Config.fromfile(args.config)
        kind = cfg.get('model', {}).get('type')
        if kind != 'MAE':
            raise ValueError(f'config must be of a model of type MAE, but that of {args.config} is {kind!r}.')
        with DefaultScope.overwrite_default_scope('mmpretrain'):
            model = build_model(cfg)
        load_checkpoint(model, args.checkpoint, map_location='cpu', strict=True)
        torch.manual_seed(args.seed)
        side = int(model.neck.num_patches**0.5) * model.head.patch_size
        images = read_images(args.images, side, model.data_preprocessor)
        columns = reconstruct(model.eval(), images)
    preprocessor = model.data_preprocessor
    args.out.parent.mkdir(parents=True, exist_ok=True)
    draw_reconstructions(columns, preprocessor.mean.view(3, 1, 1), preprocessor.std.view(3, 1, 1)).savefig(
        args.out, dpi=120)
    print(f'{args.out}: {len(images)} images, {100 * model.backbone.mask_ratio:.0f} % of the patches masked.')


if __name__ == '__main__':
    main()
