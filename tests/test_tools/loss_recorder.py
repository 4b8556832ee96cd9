"""Hooks of the runs in these tests; a run in another process imports this file by ``custom_imports``."""

import json
from pathlib import Path

from mmengine.hooks import Hook
from mmengine.registry import HOOKS


@HOOKS.register_module()
class LossRecorder(Hook):
    """Append ``[iteration, loss, learning rate]`` to a file of the work directory, one of each rank."""

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        record = [runner.iter, outputs['loss'].item(), runner.optim_wrapper.get_lr()['lr'][0]]
        with open(Path(runner.work_dir) / f'losses_{runner.rank}.json', 'a') as file:
            file.write(json.dumps(record) + '\n')


@HOOKS.register_module()
class Breakdown(Hook):
    """Raise before an iteration, and where that begins an epoch, before the data workers begin theirs."""

    def __init__(self, at):
        self.at = at

    def before_train_epoch(self, runner):
        if runner.iter == self.at:
            runner.train_dataloader._iterator = None
            raise InterruptedError(f'iteration {self.at}')

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self.before_train_epoch(runner)


def losses(work_dir, rank=0):
    """Return ``{iteration: [loss, learning rate]}``."""
    lines = (Path(work_dir) / f'losses_{rank}.json').read_text().splitlines()
    return {iteration: rest for iteration, *rest in map(json.loads, lines)}
