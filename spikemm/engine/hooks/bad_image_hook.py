"""Report how many samples a training run has skipped, and how many events were repaired or left out."""

import torch
from mmengine.dist import all_reduce
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor

from spikemm.datasets.transforms.on_error import loaded_events, skipped_images
from spikemm.registry import HOOKS


@HOOKS.register_module()
class BadImageHook(Hook):
    """At the end of a training epoch, report what the loading transforms of spikemm could not use.

    With ``on_error='skip'`` they skip samples: for the image (``spikemm.LoadImage``), its mask (``spikemm.LoadSegMap``)
    or the recording (``spikemm.LoadEvents``, ``spikemm.LoadFrames``). ``spikemm.LoadEvents`` also counts the events
    that it repairs or drops. The counts are over all data loader workers and all ranks. An iteration-based run is one
    epoch; the events that its validation reads are among the counts then. Nothing is logged while all data is as it
    must be.

    Example::

        custom_hooks = [dict(type='spikemm.BadImageHook')]
    """

    def before_train(self, runner: Runner) -> None:
        self.run = torch.zeros(4, dtype=torch.int64)

    def before_train_epoch(self, runner: Runner) -> None:
        self.last = read_counts()

    def after_train_epoch(self, runner: Runner) -> None:
        counts = read_counts() - self.last
        all_reduce(counts)
        self.run += counts
        (skipped, *events), (skipped_in_run, *events_in_run) = counts.tolist(), self.run.tolist()
        if skipped:
            runner.logger.warning(f'Samples skipped: {skipped} in this epoch, {skipped_in_run} in this run. '
                                  'The warnings above name them.')
        if any(events[1:]):  # with what the run has, or mmengine would take it for a message that it has logged before
            text = '{} read, {} repaired and {} dropped'
            runner.logger.warning(f'Events: {text.format(*events)} in this epoch, {text.format(*events_in_run)} in '
                                  'this run. The warnings above name the recordings.')


def read_counts() -> Tensor:
    """Return the samples skipped so far and the events read, repaired and dropped, shape ``[4]``."""
    return torch.tensor([count.value for count in (skipped_images(), *loaded_events())])
