"""Report how many samples a run has skipped, and how many events were repaired or left out."""

import torch
from mmengine.dist import all_reduce
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor

from spikemm.datasets.transforms.on_error import loaded_events, skipped_images
from spikemm.registry import HOOKS


@HOOKS.register_module()
class BadImageHook(Hook):
    """At the end of a training epoch and of a test, report what the loading transforms of spikemm could not use.

    With ``on_error='skip'`` they skip samples: for the image (``spikemm.LoadImage``), its mask (``spikemm.LoadSegMap``)
    or the recording (``spikemm.LoadEvents``, ``spikemm.LoadFrames``). ``spikemm.LoadEvents`` also counts the events
    that it repairs or drops, and ``spikemm.EventFrames`` those behind the last frame of a clip. The counts are over all
    data loader workers and all ranks. An iteration-based run is one epoch; the events that its validation reads are
    among the counts then. Nothing is logged while all data is as it must be.

    Example::

        custom_hooks = [dict(type='spikemm.BadImageHook')]
    """

    def before_train(self, runner: Runner) -> None:
        self.run = torch.zeros_like(read_counts())

    def before_train_epoch(self, runner: Runner) -> None:
        self.last = read_counts()

    def after_train_epoch(self, runner: Runner) -> None:
        counts = self._since()
        self.run += counts
        (skipped, *events), (skipped_in_run, *events_in_run) = counts.tolist(), self.run.tolist()
        if skipped:
            runner.logger.warning(f'Samples skipped: {skipped} in this epoch, {skipped_in_run} in this run. '
                                  'The warnings above name them, or the first of them.')
        if any(events[1:]):  # with what the run has, or mmengine would take it for a message that it has logged before
            runner.logger.warning(f'Events: {describe(events)} in this epoch, {describe(events_in_run)} in this run. '
                                  'The warnings above name the recordings, or the first of them.')

    def before_test_epoch(self, runner: Runner) -> None:
        self.last = read_counts()

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        _, *events = self._since().tolist()  # a test skips nothing
        if any(events[1:]):
            runner.logger.warning(f'Events: {describe(events)} in this test. The warnings above name the recordings, '
                                  'or the first of them.')

    def _since(self) -> Tensor:
        """Return what was counted since ``last``, on all ranks."""
        counts = read_counts() - self.last
        all_reduce(counts)
        return counts


def read_counts() -> Tensor:
    """Return the samples skipped so far and the events read, repaired, dropped and cut, shape ``[5]``."""
    return torch.tensor([count.value for count in (skipped_images(), *loaded_events())])


def describe(events: list[int]) -> str:
    """Say how many events were read, repaired, dropped and, where there are such, behind the last frame."""
    *numbers, cut = events
    text = '{} read, {} repaired and {} dropped'.format(*numbers)
    return f'{text}, {cut} behind the last frame' if cut else text
