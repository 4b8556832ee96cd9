"""Report the energy of a model with its accuracy."""

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from spikemm.registry import HOOKS

if TYPE_CHECKING:
    from spikemm.analysis.report import EnergyReport


@HOOKS.register_module()
class EnergyHook(Hook):
    """Count the operations of a test and add the energy to its metrics.

    What a test returns, logs and writes then has, beside the accuracy: ``energy/mJ`` of a sample by the convention
    'exact', the ``energy/macs_G`` and ``energy/acs_G`` that it pays for, biases included, ``energy/firing_rate`` in
    spikes per neuron and time step, and ``energy/spike_driven``, 1 or 0.
    In validation while training it does nothing: that is for :class:`FiringRateHook`, which costs next to nothing.
    The report goes to the folder ``energy`` beside the log of the run. ``tools/test.py --energy`` adds this hook.

    In a distributed test each process folds the model and rank 0 counts its part of the data, in which
    ``DefaultSampler`` puts every n-th sample.

    Args:
        num_samples: About how many samples to count, in whole batches that are evenly spread over the test; None
            counts all.
        graph: The model that is tested and counted, see :class:`spikemm.analysis.measure.Meter`: folded, if there is
            anything to fold.
        out_dir: Folder of the report; None is that of the log.

    Example::

        custom_hooks = [dict(type='spikemm.EnergyHook', num_samples=500)]
    """

    priority = 'HIGHEST'  # before the hook that hands the metrics to the logger, and before EMAHook takes weights back

    def __init__(self, num_samples: int | None = None, graph: str = 'auto', out_dir: str | None = None) -> None:
        from spikemm.analysis.measure import GRAPHS  # not before: it imports all models, which other hooks need not
        if num_samples is not None and num_samples < 1:
            raise ValueError(f'num_samples must be at least 1 or None, but got {num_samples!r}.')
        if graph not in GRAPHS:
            raise ValueError(f'graph must be one of {GRAPHS}, but got {graph!r}.')
        self.num_samples = num_samples
        self.graph = graph
        self.out_dir = out_dir

    def before_test_iter(self, runner: Runner, batch_idx: int, data_batch=None) -> None:
        if batch_idx == 0:  # not before: other hooks change the weights at the beginning of the epoch
            self._begin(runner)
        self.counting = runner.rank == 0 and batch_idx in self.chosen

    def _begin(self, runner: Runner) -> None:
        from spikemm.analysis.measure import Meter
        self.tested = runner.model
        model = runner.model
        while is_model_wrapper(model):
            model = model.module
        self.meter = Meter(model, self.graph)
        if self.meter.model is not model:
            runner.model = self.meter.model
        self.meter.model.test_step = lambda data: (self.meter.run if self.counting else self.meter.forward)(data)
        loader = runner.test_dataloader
        wanted = len(loader) if self.num_samples is None else math.ceil(self.num_samples / (loader.batch_size or 1))
        self.chosen = set(np.linspace(0, len(loader) - 1, min(wanted, len(loader))).round().astype(int).tolist())

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        del self.meter.model.test_step
        runner.model = self.tested
        if runner.rank != 0:
            return
        metrics = {} if metrics is None else metrics
        report = self._report(runner, metrics)
        energy = report.energies['exact']
        found = {'mJ': energy.mj, 'macs_G': energy.macs / 1e9, 'acs_G': energy.acs / 1e9}
        if report.counts.neurons:
            found['firing_rate'] = report.counts.rate
        metrics.update({f'energy/{name}': value for name, value in found.items()})
        metrics['energy/spike_driven'] = int(report.audit.spike_driven)

    def _report(self, runner: Runner, metrics: dict[str, float]) -> 'EnergyReport':
        """Log and save the report."""
        from spikemm.analysis.measure import describe_checkpoint
        dataset = runner.test_dataloader.dataset
        source = {
            'config': str(runner.cfg.filename), 'checkpoint': describe_checkpoint(runner.cfg.get('load_from')),
            'data': f'{type(dataset).__name__}, {len(dataset)} test samples'}
        numbers = {name: float(value) for name, value in metrics.items() if np.ndim(value) == 0}
        title = Path(runner.cfg.filename).stem if runner.cfg.filename else runner.experiment_name
        report = self.meter.report(title=title, source=source, metrics=numbers)
        folder = Path(self.out_dir or runner.log_dir) / 'energy'
        report.save(folder)
        runner.logger.info('\n'.join([*report.headline(), f'Energy report: {folder / "report.html"}']))
        return report
