"""Measure a model on data: counts, the audit and energies, of the same forward passes."""

import hashlib
import sys
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

import torch
from mmengine.model import BaseTTAModel
from spikingjelly.activation_based.base import MemoryModule
from torch import nn

from spikemm import __version__
from spikemm.models.reparameterize import MODES, is_foldable, reparameterize

from .audit import audit
from .counter import OperationCounter
from .energy import CONVENTIONS, EnergyModel, energy_of
from .memory import memory_aware
from .report import NO_CHECKPOINT, EnergyReport

GRAPHS = ('auto', 'train', *MODES)
AUDITS = 8


def measure(
    model: nn.Module, batches: Iterable[Any], *, graph: str = 'auto', memory: bool = False, **described: Any,
) -> EnergyReport:
    """Count what a model computes on data, say whether it is spike-driven, and price it.

    Args:
        model: A model of mmengine or any other module, in evaluation mode.
        batches: What its ``test_step`` takes, as a data loader collates it; of other modules, their input, ``[B, ...]``
            or, 5D, ``[T, B, ...]``.
        graph: As of :class:`Meter`.
        memory: As of :class:`Meter`.
        **described: Arguments of :meth:`Meter.report`.

    Raises:
        ValueError: ``model`` is in training mode or augments tests, ``graph`` is unknown, or there is no batch.

    Example::

        report = measure(model.eval(), loader)
        print(report.table())
        report.save('work_dirs/energy')
    """
    meter = Meter(model, graph, memory=memory)
    for batch in batches:
        meter.run(batch)
    return meter.report(**described)


class Meter:
    """Counts forward passes of a model as they are made. The first one is audited, too, and more, up to ``AUDITS``,
    while there are layers that no spike reaches.

    Args:
        model: A model of mmengine or any other module, in evaluation mode.
        graph: 'train' as the config builds it, 'fast' or 'spike' after :func:`spikemm.models.reparameterize`; 'auto'
            is 'spike', the network that a chip would run, where the model has something to fold, and else 'train'.
        memory: Whether to price the first batch with SpikingJelly's models of memory traffic, too.

    Attributes:
        model: The model that is counted: the given one, or its folded copy.
    """

    def __init__(self, model: nn.Module, graph: str = 'auto', *, memory: bool = False) -> None:
        if graph not in GRAPHS:
            raise ValueError(f'graph must be one of {GRAPHS}, but got {graph!r}.')
        if isinstance(model, BaseTTAModel):
            raise ValueError('model must be one without test-time augmentation, which is several forward passes a '
                             f'sample, but got {type(model).__name__}.')
        if model.training:
            raise ValueError('model must be in evaluation mode, but is in training mode: call model.eval() first.')
        if graph == 'auto':
            graph = 'spike' if is_foldable(model) else 'train'
        self.parameters = sum(p.numel() for p in model.parameters())
        self.model = model if graph == 'train' else reparameterize(model, graph)
        self.graph = getattr(self.model, 'reparameterized', 'train')  # maybe it was folded before
        self._predict = getattr(self.model, 'test_step', self.model)
        self._neurons = [module for module in self.model.modules() if isinstance(module, MemoryModule)]
        self.counter = OperationCounter(self.model)
        self.audit = self.memory = None
        self._audits = 0
        self._with_memory = memory

    def forward(self, batch: Any) -> Any:
        """Return what the model makes of a batch from rest: SpikingJelly's neurons keep their state until a reset."""
        for neuron in self._neurons:
            neuron.reset()
        return self._predict(batch)

    @torch.no_grad()
    def run(self, batch: Any) -> Any:
        """Count a batch, too."""
        if self._audits < AUDITS and (self.audit is None or self.audit.silent):
            found = audit(self.model, lambda: self.forward(batch))
            self.audit = min(self.audit or found, found, key=lambda a: len(a.silent))
            self._audits += 1
        if self._with_memory and self.memory is None:
            self.memory = memory_aware(self.model, lambda: self.forward(batch))
        with self.counter:
            return self.forward(batch)

    def report(
        self,
        *,
        title: str | None = None,
        source: dict[str, str] | None = None,
        convention: str = 'exact',
        energy_model: str | EnergyModel = '45nm',
        metrics: dict[str, float] | None = None,
        random: bool = False,
    ) -> EnergyReport:
        """Price what was counted so far.

        Args:
            title: Name of the model; None is that of its class.
            source: What was measured, in words: config, checkpoint, data ... The graph, the number of samples, the
                command, versions and the date are added.
            convention: The one that comes first; all are computed.
            energy_model: What an operation costs, see :data:`~spikemm.analysis.energy.ENERGY_MODELS`.
            metrics: What the model reached, accuracy for example.
            random: Whether the inputs were random, so that firing rates mean nothing.

        Raises:
            ValueError: Nothing was counted, or ``convention`` is unknown.
        """
        if convention not in CONVENTIONS:
            raise ValueError(f'convention must be one of {list(CONVENTIONS)}, but got {convention!r}.')
        if not self.counter.total_samples:
            raise ValueError('batches must have at least one sample, but there is none.')
        counts = self.counter.counts()
        folded = {} if self.graph == 'train' else {'parameters of the folded graph': str(counts.parameters)}
        counts.parameters = self.parameters
        conventions = sorted(CONVENTIONS, key=lambda name: name != convention)
        return EnergyReport(
            title=title or type(self.model).__name__,
            source={
                **(source or {}), 'graph': self.graph, **folded, 'samples': str(self.counter.total_samples),
                'command': ' '.join(sys.argv), 'versions': f'spikemm {__version__}, torch {torch.__version__}',
                'date': datetime.now().astimezone().isoformat(timespec='seconds')},
            counts=counts,
            energies={name: energy_of(counts, name, energy_model) for name in conventions},
            audit=self.audit,
            memory=self.memory,
            metrics=metrics or {},
            random=random)


def describe_checkpoint(checkpoint: str | None) -> str:
    """Return the name of a checkpoint and, of a file, what tells it from others of that name."""
    if checkpoint is None:
        return NO_CHECKPOINT
    if not Path(checkpoint).is_file():
        return checkpoint
    with open(checkpoint, 'rb') as file:
        return f'{checkpoint} (sha256 {hashlib.file_digest(file, "sha256").hexdigest()})'
