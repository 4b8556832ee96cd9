"""Inference time of our models against SpikingJelly's own of the same name, as ratios measured side by side.

    python tools/analysis_tools/benchmark_zoo.py                                        # all, in some minutes
    python tools/analysis_tools/benchmark_zoo.py --models spikformer-8-384 --T 1 --size 64

Ours are those of the configs after ``reparameterize(model, 'fast')``; SpikingJelly's run in multi-step mode with its
backend 'torch' and are reset before every call. Rounds are those of benchmark.py: a ratio is the median of the rounds'
ratios, with the smallest and largest, and below 1 ours is faster. Weights are random, with norms that let neurons fire.

Of both the parameters are printed, and whether the models have as many weights, biases and norms apart (of which some
are redundant, or their layers joined): if not, the ratio compares two networks and not two builds of one.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from benchmark import NUM_CLASSES, inference, let_fire, ratios, row
from mmengine.config import Config
from mmengine.registry import DefaultScope
from spikingjelly.activation_based import functional, neuron
from spikingjelly.activation_based.model import masnn, ms_resnet, sew_resnet, spike_driven_transformer, spikformer
from torch import Tensor, nn

from spikemm.models import reparameterize
from spikemm.registry import MODELS

BASES = Path(__file__).parents[2] / 'configs/_base_/models'


@dataclass(frozen=True)
class Pair:
    """A model of ours and SpikingJelly's.

    Args:
        base: File of :data:`BASES` with the model.
        preset: Of the backbone.
        channels: That the head reads.
        theirs: Builds SpikingJelly's, given the time steps and the size of an image in pixels.
    """

    base: str
    preset: str
    channels: int
    theirs: Callable[[int, int], nn.Module]


PAIRS = {
    'sew-resnet50': Pair('sew_resnet', '50', 2048, lambda T, size: sew_resnet.sew_resnet50(
        cnf='ADD', spiking_neuron=neuron.IFNode)),
    'ms-resnet18': Pair('ms_resnet', '18', 512, lambda T, size: ms_resnet.ms_resnet18(T)),
    'ms-resnet34': Pair('ms_resnet', '34', 512, lambda T, size: ms_resnet.ms_resnet34(T)),
    'ms-resnet104': Pair('ms_resnet', '104', 512, lambda T, size: ms_resnet.MSResNet(T, layers=(3, 8, 32, 8))),
    'att-ms-resnet18': Pair('att_ms_resnet', '18', 512, lambda T, size: masnn.att_ms_resnet18(T)),
    'spikformer-8-384': Pair('spikformer', '8-384', 384, lambda T, size: spikformer.Spikformer(
        T, img_size_h=size, img_size_w=size, embed_dims=384, num_heads=8, depths=8)),
    'sdt-8-384': Pair('spike_driven_transformer', '8-384', 384, lambda T, size: spike_driven_transformer.sdt_8_384(T)),
}


class Theirs(nn.Module):
    """A model of SpikingJelly, which starts from rest at every call."""

    def __init__(self, net: nn.Module, T: int) -> None:
        super().__init__()
        functional.set_step_mode(net, 'm')
        self.net, self.T = net, T

    def forward(self, x: Tensor) -> Tensor:
        functional.reset_net(self.net)
        return self.net(x.expand(self.T, *x.shape))


def ours(pair: Pair, T: int) -> nn.Module:
    cfg = Config.fromfile(BASES / f'{pair.base}.py').model
    cfg.backbone.update(T=T, arch=pair.preset)
    cfg.head.update(in_channels=pair.channels, num_classes=NUM_CLASSES)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        return MODELS.build(cfg)


def weights_of(net: nn.Module) -> int:
    """Number of weights, without biases and norms."""
    return sum(p.numel() for p in net.parameters() if p.ndim > 1)


def compared(name: str, T: int, args: argparse.Namespace) -> str:
    """A row of the table."""
    torch.manual_seed(0)
    pair = PAIRS[name]
    nets = {'ours': ours(pair, T), 'theirs': Theirs(pair.theirs(T, args.size), T)}
    alike = 'as many' if weights_of(nets['ours']) == weights_of(nets['theirs']) else '**other models**'
    parameters = [f'{sum(p.numel() for p in net.parameters()) / 1e6:.3f}' for net in nets.values()]
    x = torch.randn(args.batch_size, 3, args.size, args.size, device=args.device)
    nets = {key: let_fire(net).to(args.device).eval() for key, net in nets.items()}
    nets['ours'] = reparameterize(nets['ours'], 'fast')
    result = ratios({key: inference(net, x) for key, net in nets.items()}, ['ours'], args)
    return row(' | '.join([name, str(T), *parameters, alike]), [result['ours', 'theirs']])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--models', nargs='+', default=list(PAIRS), choices=list(PAIRS), metavar='MODEL',
                        help=f'some of {", ".join(PAIRS)} (default: all)')
    parser.add_argument('--T', type=int, nargs='+', default=[4])
    parser.add_argument('--batch-size', type=int, default=1)
    parser.add_argument('--size', type=int, default=224)
    parser.add_argument('--rounds', type=int, default=9)
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--device', default='cpu')
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.set_flush_denormal(True)

    print(f'batch {args.batch_size}, {args.size}x{args.size}, {args.threads} threads, {args.device}\n')
    print("| Model | T | Params (M), ours | SpikingJelly's | weights | ours divided by SpikingJelly's |")
    print('| :--- | :-: | :-: | :-: | :-: | :-: |')
    for name in args.models:
        for T in args.T:
            print(compared(name, T, args), flush=True)


if __name__ == '__main__':
    main()
