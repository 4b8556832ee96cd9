"""What the runs in these tests share; a run in another process imports this file by ``custom_imports``."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

from mmengine.hooks import Hook
from mmengine.registry import HOOKS

TOOLS = Path(__file__).parents[2] / 'tools'


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
            stop_workers(runner)
            raise InterruptedError(f'iteration {self.at}')

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self.before_train_epoch(runner)


def stop_workers(runner):
    """End the data workers; left to the garbage collector, each is waited for 5 seconds."""
    runner.train_dataloader._iterator = None
    if hasattr(runner.train_loop, 'dataloader_iterator'):
        runner.train_loop.dataloader_iterator._iterator = None


def losses(work_dir, rank=0):
    """Return ``{iteration: [loss, learning rate]}``."""
    lines = (Path(work_dir) / f'losses_{rank}.json').read_text().splitlines()
    return {iteration: rest for iteration, *rest in map(json.loads, lines)}


def shell(*command, cwd=None):
    """Run a command and return its output."""
    env = {
        **os.environ, 'PATH': f'{Path(sys.executable).parent}:{os.environ["PATH"]}', 'OMP_NUM_THREADS': '1',
        'PYTHONPATH': str(Path(__file__).parent), 'PORT': str(free_port())}
    done = subprocess.run([str(part) for part in command], cwd=cwd, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]
