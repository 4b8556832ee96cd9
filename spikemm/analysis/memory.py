"""Energy with memory traffic, by the models of SpikingJelly."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from spikingjelly.activation_based.op_counter import (
    LemaireEnergyConfig,
    LemaireEnergyProfiler,
    NeuromorphicMemoryAccessCounter,
    SimpleEnergyProfiler,
)
from torch import Tensor, nn

from spikemm.neurons.stateless import StatelessMixin

from .counter import count_samples
from .counts import some
from .energy import PJ_PER_MJ

SEEN = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)  # modules whose weights SpikingJelly's models see


class StateCounter(NeuromorphicMemoryAccessCounter):
    """SpikingJelly's counter of memory traffic, which also knows neurons that keep no state between calls.

    Such a neuron has its potential only while it runs, so that SpikingJelly finds none to measure afterwards. The
    traffic is the same: at each step all of it is read and written once, in the type of the input.
    """

    def __init__(self) -> None:
        super().__init__()
        self.rules['forward', StatelessMixin] = self._bytes

    @staticmethod
    def _bytes(module: nn.Module, args: tuple, kwargs: dict, output: Tensor) -> int:
        x = args[0]  # [T, ...]
        return len(list(module.memories())) * x.numel() * x.element_size()

    def record(self, scope: str, func: tuple[str, nn.Module], value: int) -> None:
        if not isinstance(func[1], StatelessMixin):
            super().record(scope, func, value)
            return
        self.records[scope]['neuron_state_read_bytes'] += value
        self.records[scope]['neuron_state_write_bytes'] += value


def memory_aware(model: nn.Module, run: Callable[[], Any]) -> dict[str, dict[str, float | str]]:
    """Estimate what a sample costs together with the memory it moves.

    Two models of SpikingJelly 2.0 are asked, each with its own counts, which are not ours: they include norms, neurons
    and residual additions as far as torch operators or modules show them, and hold integer-valued inputs for real.

    * 'simple': arithmetic as of :data:`~spikemm.analysis.energy.ENERGY_MODELS`' '45nm', and a fixed price for each
      byte of weights, biases and neuron states.
    * 'lemaire': `An Analytical Estimation of Spiking Neural Networks Energy Efficiency
      <https://arxiv.org/abs/2210.13107>`_: operations, addressing and memories that cost more the larger they are. It
      takes a pass of one sample: buffers for a batch would be dearer ones.

    Both see weights only where a convolution or a linear layer is called as a module; 'not seen' names the others.
    SpikingJelly's other two models do not fit: SpikeSim maps ungrouped 2D convolutions, and these only, to crossbars;
    NeuroMC is made for training on its accelerator and refuses a pass with operators that it does not know.

    Args:
        model: The model, in evaluation mode.
        run: Does one forward pass with it, from rest; is called twice.

    Returns:
        Of each model the energies in mJ a sample, the figures they are made of (bytes and operations a sample), where
        it comes from, and what it leaves out.

    Raises:
        ValueError: ``run`` does not call ``model``.
    """
    simple, lemaire = SimpleEnergyProfiler(), LemaireEnergyProfiler(config=LemaireEnergyConfig(strict=False))
    simple.memory_counter = StateCounter()
    with _Calls(model) as calls:
        _profile(simple, model, run)
    if not calls.samples:
        raise ValueError('`run` must call `model`, but did not.')
    report = simple.get_report()
    missed = calls.missed()
    figures = {'simple': _figures(report, report.energy_total_pj, calls.samples, missed)}
    if calls.samples > 1:
        figures['lemaire'] = {'unknown': f'takes a pass of one sample, but got {calls.samples}'}
        return figures
    with _all_steps_at_once(model), warnings.catch_warnings():
        warnings.filterwarnings('ignore', 'Lemaire formulas do not support', RuntimeWarning)  # are in its report
        _profile(lemaire, model, run)
    report = lemaire.get_report()
    figures['lemaire'] = _figures(report, report.total_pj, 1, missed)
    return figures


def _profile(profiler: SimpleEnergyProfiler | LemaireEnergyProfiler, model: nn.Module, run: Callable[[], Any]) -> None:
    profiler.bind_model(model)
    with profiler, torch.no_grad():
        run()


class _Calls:
    """Notes which modules are called, and how many samples the model gets."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.samples = 0
        self.called: set[nn.Module] = set()

    def __enter__(self) -> '_Calls':
        self.handles = [m.register_forward_pre_hook(self._note, with_kwargs=True) for m in self.model.modules()]
        return self

    def __exit__(self, *error) -> None:
        for handle in self.handles:
            handle.remove()

    def _note(self, module: nn.Module, args: tuple, kwargs: dict) -> None:
        self.called.add(module)
        if module is self.model:
            self.samples += count_samples(args, kwargs)

    def missed(self) -> list[str]:
        """Names of the layers with weights that SpikingJelly's models do not see."""
        return [
            name for name, m in self.model.named_modules()
            if any(p.ndim > 1 for p in m.parameters(recurse=False)) and not (m in self.called and isinstance(m, SEEN))]


@contextmanager
def _all_steps_at_once(model: nn.Module) -> Iterator[None]:
    """Mark the layers whose first axis holds time steps; the potentials of all of them are never kept at once."""
    layers = [m for m in model.modules() if isinstance(m, SEEN) and not hasattr(m, 'step_mode')]
    for layer in layers:
        layer.step_mode = 'm'
    try:
        yield
    finally:
        for layer in layers:
            del layer.step_mode


def _figures(report: Any, total_pj: float, samples: int, missed: list[str]) -> dict[str, float | str]:
    energies = {key.replace('_pj', '_mj'): pj for key, pj in report.breakdown_pj.items()}
    return {
        'total_mj': total_pj / PJ_PER_MJ / samples,
        **{key: pj / PJ_PER_MJ / samples for key, pj in energies.items()},
        **{key: count / samples for key, count in report.counts.items()},
        'source': f'{report.model_info.model_id}: {", ".join(report.model_info.source_urls)}',
        'scope': report.model_info.scope,
        'not seen': some(missed),
        'warnings': ' '.join(report.warnings)}
