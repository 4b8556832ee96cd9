"""Report how often the neurons of a model fire."""

import torch
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import BaseLoop, Runner
from spikingjelly.activation_based.neuron import BaseNode
from torch import Tensor, nn

from spikemm.registry import HOOKS

NAMES_SHOWN = 5


@HOOKS.register_module()
class FiringRateHook(Hook):
    """Log the firing rate, in spikes per neuron and time step, of a batch now and then.

    The mean over all neurons goes to the log and, as ``train/firing_rate`` or ``val/firing_rate``, to the message hub;
    the rate of every layer goes to the info ``firing_rate`` of the message hub and to the visualizer's backends. Layers
    that are silent or saturated are named, and channels that are silent counted, which some are by chance in a small
    batch. The model is observed during those iterations only, and on rank 0 only: the rates are those of its part of
    the batch.

    Args:
        interval: In training, observe every ``interval``-th iteration, and in validation the first batch and every
            ``interval``-th after it.
        saturated: Name the layers that fire more than this.

    Example::

        custom_hooks = [dict(type='spikemm.FiringRateHook', interval=50)]
    """

    def __init__(self, interval: int = 50, saturated: float = 0.95) -> None:
        if interval < 1:
            raise ValueError(f'interval must be at least 1 iteration, but got {interval!r}.')
        self.interval = interval
        self.saturated = saturated
        self.handles = []
        self.counts: dict[str, tuple[Tensor, int]] = {}  # of a layer, spikes of its channels; neurons x time steps

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch=None) -> None:
        if runner.rank == 0 and self.every_n_train_iters(runner, self.interval):
            self.observe(runner)

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        if self.handles:
            self.report(runner, 'train')

    def before_val_iter(self, runner: Runner, batch_idx: int, data_batch=None) -> None:
        if runner.rank == 0 and batch_idx % self.interval == 0:
            self.observe(runner)

    def after_val_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        if self.handles:
            self.report(runner, 'val')

    def observe(self, runner: Runner) -> None:
        """Attach to every neuron layer."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        self.counts = {}

        def count(name: str, spikes: Tensor, channel: int) -> None:
            if not spikes.numel():  # a head of regions, where an image has none
                return
            others = [axis for axis in range(spikes.ndim) if axis != channel]
            fired, sites = self.counts.get(name, (0, 0))  # a layer may be called several times
            self.counts[name] = fired + spikes.detach().float().sum(others), sites + spikes.numel()

        def attach(name: str, layer: nn.Module) -> None:
            channel = 2 if layer.step_mode == 'm' else 1  # [T, B, C, ...] or [B, C, ...]
            self.handles.append(layer.register_forward_hook(lambda module, args, spikes: count(name, spikes, channel)))

        for name, layer in model.named_modules():
            if isinstance(layer, BaseNode):
                attach(name, layer)

    def report(self, runner: Runner, mode: str) -> None:
        """Detach, and log what was counted."""
        for handle in self.handles:
            handle.remove()
        self.handles = []
        if not self.counts:
            return
        totals = {name: (float(fired.sum()), sites) for name, (fired, sites) in self.counts.items()}
        rates = {name: fired / sites for name, (fired, sites) in totals.items()}
        mean = sum(fired for fired, _ in totals.values()) / sum(sites for _, sites in totals.values())
        channels = torch.cat([fired.flatten().cpu() for fired, _ in self.counts.values()])
        runner.message_hub.update_scalar(f'{mode}/firing_rate', mean)
        runner.message_hub.update_info('firing_rate', rates, resumed=False)
        step = runner.iter if isinstance(runner._train_loop, BaseLoop) else 0  # 0 in a validation alone
        runner.visualizer.add_scalars({f'firing_rate/{mode}/{name}': rate for name, rate in rates.items()}, step)
        silent = shown([name for name, rate in rates.items() if rate == 0])
        saturated = shown([name for name, rate in rates.items() if rate > self.saturated])
        runner.logger.info(
            f'firing rate {mean:.3f} (silent: {silent}; saturated: {saturated}; silent channels: '
            f'{int((channels == 0).sum())} of {len(channels)})')


def shown(names: list[str]) -> str:
    """List the first names and count the others."""
    more = f' and {len(names) - NAMES_SHOWN} more' if len(names) > NAMES_SHOWN else ''
    return ', '.join(names[:NAMES_SHOWN]) + more if names else 'none'
