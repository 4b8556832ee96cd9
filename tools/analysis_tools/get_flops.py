"""Count the parameters and multiply-accumulates of a config's model: ``get_flops.py CONFIG --shape 224``.

The forward pass of one input is counted, the heads included and what follows them (box decoding, NMS) not. Convolutions
and matrix products are counted, wherever they are called; mmcv's own operators (RoIAlign, deformable convolution) are
not. Every product is counted as dense: of a spiking model most need not be computed, and cost an addition if they are.
"""

from argparse import ArgumentParser

import torch
from mmengine.config import Config, DictAction
from mmengine.registry import DefaultScope
from torch.utils.flop_counter import FlopCounterMode

from spikemm.analysis.inputs import build_model, input_shape, random_batch
from spikemm.apis.command_line import one_line_errors


def count(cfg: Config, shape: tuple[int, ...]) -> tuple[int, int]:
    """Return the parameters of a model and the multiply-accumulates of one input of ``shape``."""
    scope = cfg.get('default_scope', 'mmpretrain')
    with DefaultScope.overwrite_default_scope(scope), torch.no_grad():
        model = build_model(cfg)
        data = model.data_preprocessor(random_batch(scope, shape), training=False)
        with FlopCounterMode(display=False) as counter:
            model(**data, mode='tensor')
    return sum(p.numel() for p in model.parameters()), counter.get_total_flops() // 2


def main() -> None:
    parser = ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('config', help='config file')
    parser.add_argument('--shape', type=int, nargs='+', default=[224], help='S, H W, C H W or T C H W (default: 224)')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE', help='settings to override')
    args = parser.parse_args()

    with one_line_errors(parser):
        cfg = Config.fromfile(args.config)
        if args.cfg_options:
            cfg.merge_from_dict(args.cfg_options)
        shape = input_shape(args.shape)
        parameters, macs = count(cfg, shape)
    print(f'Input shape: {shape}')
    print(f'Parameters: {parameters / 1e6:.3f} M ({parameters})')
    print(f'MACs: {macs / 1e9:.3f} G ({macs})')


if __name__ == '__main__':
    main()
