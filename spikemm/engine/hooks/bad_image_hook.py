"""Report how many images a training run has skipped."""

import torch
from mmengine.dist import all_reduce
from mmengine.hooks import Hook
from mmengine.runner import Runner

from spikemm.datasets.transforms.on_error import skipped_images
from spikemm.registry import HOOKS


@HOOKS.register_module()
class BadImageHook(Hook):
    """At the end of a training epoch, report the images that the loading transforms of spikemm have skipped.

    They do with ``on_error='skip'``, for the image (``spikemm.LoadImage``) or its mask (``spikemm.LoadSegMap``). The
    count is over all data loader workers and all ranks; an iteration-based run is one epoch. Nothing is logged while
    every image can be used.

    Example::

        custom_hooks = [dict(type='spikemm.BadImageHook')]
    """

    def before_train(self, runner: Runner) -> None:
        self.first = self.last = skipped_images().value

    def after_train_epoch(self, runner: Runner) -> None:
        now = skipped_images().value
        counts = torch.tensor([now - self.last, now - self.first])
        self.last = now
        all_reduce(counts)
        epoch, run = counts.tolist()
        if epoch:
            runner.logger.warning(f'Images skipped: {epoch} in this epoch, {run} in this run. '
                                  'The warnings above name them.')
