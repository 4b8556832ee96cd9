"""Let a resumed run follow the schedule of its config."""

import warnings

from mmengine.hooks import Hook
from mmengine.optim import OptimWrapperDict, _ParamScheduler
from mmengine.runner import Runner

from spikemm.registry import HOOKS

STATE = {'last_step', '_global_step', '_last_value', 'base_values'}
"""Attributes of a scheduler that change as it steps; the others are its settings."""


@HOOKS.register_module()
class ResumeScheduleHook(Hook):
    """Bring a resumed run to where an uninterrupted run of the present config would be in its schedule.

    mmengine takes the whole schedule from the checkpoint: a run of 100 epochs resumed for 200 keeps the end it had, and
    a cosine that has arrived at 0 stays there. Where the settings in the checkpoint differ from the config's, the
    config's schedulers are stepped from the start to the iteration of the checkpoint, and what they arrive at is
    resumed. Equal settings resume as in mmengine. A schedule that follows a metric cannot be repeated, and is left
    alone.

    Example::

        custom_hooks = [dict(type='spikemm.ResumeScheduleHook')]
    """

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        saved = checkpoint.get('param_schedulers')
        if not runner._resume or not saved or not runner.param_schedulers:
            return
        schedulers = runner.param_schedulers
        if isinstance(runner.optim_wrapper, OptimWrapperDict) or any(hasattr(s, 'need_val_args') for s in schedulers):
            return
        if [settings(s.state_dict()) for s in schedulers] == [settings(s) for s in saved]:
            return
        before = rates(runner)
        replay(schedulers, checkpoint['meta']['iter'], checkpoint['meta']['epoch'])
        checkpoint['param_schedulers'] = [s.state_dict() for s in schedulers]
        self.resume_values(runner, checkpoint.get('optimizer', {}), {s.param_name for s in schedulers})
        runner.logger.warning(
            f'The schedule in the checkpoint is not that of the config, which is followed: after iteration '
            f'{checkpoint["meta"]["iter"]} the learning rate is {rates(runner)}, having started at {before}.'
        )

    @staticmethod
    def resume_values(runner: Runner, saved: dict, names: set[str]) -> None:
        """Write the scheduled values into the optimizer's part of the checkpoint."""
        if 'momentum' in names:
            names = names | {'betas'}  # Adam's momentum
        groups = [*saved.get('param_groups', []), saved.get('base_param_settings')]
        for group, current in zip(groups, runner.optim_wrapper.param_groups, strict=False):
            if group is not None:
                group.update({name: current[name] for name in names if name in current})


def settings(state: dict) -> dict:
    return {name: value for name, value in state.items() if name not in STATE}


def rates(runner: Runner) -> str:
    return ', '.join(f'{lr:.4g}' for lr in sorted(set(runner.optim_wrapper.get_lr()['lr'])))


def replay(schedulers: list[_ParamScheduler], iters: int, epochs: int) -> None:
    """Step new schedulers as ``ParamSchedulerHook`` does in ``epochs`` epochs of ``iters`` iterations together."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # of schedulers that step before the optimizer does
        for step in range(1, iters + 1):
            for scheduler in schedulers:
                if not scheduler.by_epoch:
                    scheduler.step()
            if epochs and step % (iters // epochs) == 0:
                for scheduler in schedulers:
                    if scheduler.by_epoch:
                        scheduler.step()
