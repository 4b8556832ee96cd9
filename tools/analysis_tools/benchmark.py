"""Time and memory of Meta-SpikeFormer against plain builds of the same model, as ratios measured side by side.

    python tools/analysis_tools/benchmark.py                        # the table of configs/meta_spikeformer/README.md
    python tools/analysis_tools/benchmark.py --arch nano --size 64  # a quick look

Columns: 'loop' is the same model built plainly, its neurons a Python loop over T of separate charge, fire and reset
operations; 'spikingjelly' the same with SpikingJelly's LIFNode; 'relu' the same with ReLU for every neuron. All run in
float32. Each round runs every model once, one after the other, so that a change in the machine's speed meets them all;
a ratio is the median of the rounds' ratios, with the smallest and largest. Below 1 ours is faster.
"""

import argparse
import multiprocessing
import re
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import torch
import torch.nn.functional as F
from plain_sdtv2 import LoopLIF, PlainSDTV2, ReLU, SpikingJellyLIF
from torch import Tensor, nn

import spikemm  # noqa: F401  (before mmpretrain)
from spikemm.models import MetaSpikeFormer, SpikeLinearClsHead, reparameterize

PLAIN = {'loop': LoopLIF, 'spikingjelly': SpikingJellyLIF, 'relu': ReLU}
NUM_CLASSES = 1000


class Ours(nn.Module):
    """Backbone and head as a config builds them."""

    def __init__(self, arch: str, T: int) -> None:
        super().__init__()
        self.backbone = MetaSpikeFormer(arch, T=T)
        self.head = SpikeLinearClsHead(NUM_CLASSES, self.backbone.out_channels[-1])

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.backbone(x))


def build(name: str, args: argparse.Namespace, T: int) -> nn.Module:
    torch.manual_seed(0)
    if name == 'ours':
        net = Ours(args.arch, T)
    else:
        arch = MetaSpikeFormer.ARCHS[args.arch]
        net = PlainSDTV2(tuple(arch.embed_dims), T, PLAIN[name], arch.num_heads, NUM_CLASSES)
    return let_fire(net).to(args.device)


def let_fire(net: nn.Module) -> nn.Module:
    """Set norms such that neurons of every layer fire, as in a trained model."""
    for module in net.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            nn.init.constant_(module.weight, 1.5)
            nn.init.constant_(module.bias, 0.5)
            nn.init.constant_(module.running_var, 0.1)
    return net


def training_step(net: nn.Module, x: Tensor, y: Tensor) -> Callable[[], None]:
    net.train()

    def run() -> None:
        net.zero_grad(set_to_none=True)
        F.cross_entropy(net(x), y).backward()

    return run


def inference(net: nn.Module, x: Tensor, bf16: bool = False) -> Callable[[], None]:
    net.eval()

    @torch.no_grad()
    def run() -> None:
        with torch.autocast(x.device.type, torch.bfloat16, enabled=bf16):
            net(x)

    return run


def timed(run: Callable[[], None], device: str) -> float:
    start = time.perf_counter()
    run()
    if device != 'cpu':
        torch.cuda.synchronize()
    return time.perf_counter() - start


def ratios(runs: dict[str, Callable], ours: list[str], args: argparse.Namespace) -> dict[tuple[str, str], list[float]]:
    """The rounds' ratios of each of ``ours`` to each of the other runs."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for round_ in range(args.rounds + 1):
        for name, run in runs.items():
            seconds = timed(run, args.device)
            if round_:  # the first round warms up
                times[name].append(seconds)
    others = [name for name in runs if name not in ours]
    return {(a, b): [s / t for s, t in zip(times[a], times[b], strict=True)] for a in ours for b in others}


def row(title: str, columns: list[list[float]]) -> str:
    cells = [f'{statistics.median(c):.2f} ({min(c):.2f}-{max(c):.2f})' for c in columns]
    return f'| {title} | ' + ' | '.join(cells) + ' |'


def peak_memory(name: str, args: argparse.Namespace, T: int) -> float:
    """MiB that a training step adds to what the process held before it; run in a process of its own."""
    torch.set_num_threads(args.threads)
    net = build(name, args, T)
    small = torch.randn(1, 3, 64, 64, device=args.device)
    training_step(net, small, torch.zeros(1, dtype=torch.long, device=args.device))()  # libraries' own buffers
    x, y = batch(args)
    before = memory(args.device, reset=True)
    training_step(net, x, y)()
    return memory(args.device) - before


def in_own_process(function: Callable, *args) -> float:
    with ProcessPoolExecutor(1, multiprocessing.get_context('spawn')) as pool:
        return pool.submit(function, *args).result()


def memory(device: str, reset: bool = False) -> float:
    """Peak memory in MiB since the last reset (on CPU, of the process, as Linux counts it)."""
    if device != 'cpu':
        if reset:
            torch.cuda.reset_peak_memory_stats()
        return torch.cuda.max_memory_allocated() / 2**20
    if reset:
        Path('/proc/self/clear_refs').write_text('5')
    status = Path('/proc/self/status').read_text()
    return int(re.search(r'VmHWM:\s+(\d+) kB', status)[1]) / 2**10


def batch(args: argparse.Namespace) -> tuple[Tensor, Tensor]:
    x = torch.randn(args.batch_size, 3, args.size, args.size, device=args.device)
    return x, torch.randint(0, NUM_CLASSES, (args.batch_size,), device=args.device)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    five_stages = [name for name, arch in MetaSpikeFormer.ARCHS.items() if tuple(arch.depths) == (1, 1, 2, 6, 2)]
    parser.add_argument('--arch', default='15m', choices=five_stages)
    parser.add_argument('--T', type=int, nargs='+', default=[1, 4])
    parser.add_argument('--batch-size', type=int, default=4)
    parser.add_argument('--size', type=int, default=224)
    parser.add_argument('--rounds', type=int, default=9)
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--device', default='cpu')
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.set_flush_denormal(True)

    print(f'{args.arch}, batch {args.batch_size}, {args.size}x{args.size}, {args.threads} threads, {args.device}')
    print(f'\n| ours divided by | {" | ".join(PLAIN)} |\n|---{"|---" * len(PLAIN)}|')
    x, y = batch(args)
    for T in args.T:
        nets = {name: build(name, args, T) for name in ['ours', *PLAIN]}
        result = ratios({name: training_step(net, x, y) for name, net in nets.items()}, ['ours'], args)
        print(row(f'training step, T={T}', [result['ours', b] for b in PLAIN]), flush=True)
        nets['ours'] = reparameterize(nets['ours'], 'fast')
        runs = {name: inference(net, x) for name, net in nets.items()}
        runs['ours, bfloat16'] = inference(nets['ours'], x, bf16=True)
        result = ratios(runs, ['ours', 'ours, bfloat16'], args)
        print(row(f'inference, T={T}', [result['ours', b] for b in PLAIN]), flush=True)
        print(row(f'inference in bfloat16, T={T}', [result['ours, bfloat16', b] for b in PLAIN]), flush=True)
        del nets, runs
        peaks = {name: in_own_process(peak_memory, name, args, T) for name in ['ours', *PLAIN]}
        print(row(f'memory of a training step, T={T}', [[peaks['ours'] / peaks[b]] for b in PLAIN]), flush=True)
        rounded = {k: round(v) for k, v in peaks.items()}
        print(f'\nPeak memory of a training step, T={T}, MiB: {rounded}\n', flush=True)


if __name__ == '__main__':
    main()
