"""Run a config: mmengine's runner, with what :mod:`spikemm.engine` adds to it."""

import os
from copy import deepcopy
from pathlib import Path

import mmengine
from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.registry import METRICS, RUNNERS, DefaultScope
from mmengine.runner import FlexibleRunner, Runner

from spikemm.engine.cpu import adapt_to_cpu, flush_denormals


def train(cfg: Config) -> Runner | FlexibleRunner:
    """Train the model of a config.

    The runner gets :class:`~spikemm.engine.hooks.SafeCheckpointHook` in the place of mmengine's, and ``SeedHook``,
    ``ResumeScheduleHook`` and, unless ``strict_load=False`` is in the config, ``StrictLoadHook``.

    Returns:
        The runner after training.
    """
    cfg = deepcopy(cfg)
    prepare(cfg)
    keep_checkpoints_safe(cfg)
    add_hooks(cfg, 'SeedHook', 'ResumeScheduleHook')
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope', 'mmengine')):  # it ends with the run
        runner = build_runner(cfg)
        count_batch(runner)
        runner.train()
    return runner


def evaluate(cfg: Config, out: str | None = None, out_item: str = 'pred') -> dict:
    """Evaluate the checkpoint ``load_from`` of a config.

    Args:
        cfg: The config.
        out: File to write to.
        out_item: What to write, ``'pred'`` or ``'metrics'``. Predictions of mmseg are written by its metric instead.

    Returns:
        The metrics.
    """
    if out_item not in ('pred', 'metrics'):
        raise ValueError(f"out_item must be 'pred' or 'metrics', but got {out_item!r}.")
    scope = cfg.get('default_scope', 'mmengine')
    dump = out is not None and out_item == 'pred' and scope != 'mmseg'
    if dump and Path(out).suffix not in ('.pkl', '.pickle'):
        raise ValueError(f'out must be a .pkl file for predictions, but got {out!r}.')
    cfg = deepcopy(cfg)
    if cfg.get('launcher', 'none') == 'none':  # a model that was trained in shards is whole in its checkpoint
        cfg.pop('runner_type', None)
        cfg.pop('strategy', None)
    prepare(cfg)
    with DefaultScope.overwrite_default_scope(scope):
        runner = build_runner(cfg)
        if dump:
            kind = 'mmdet.DumpDetResults' if scope == 'mmdet' else 'DumpResults'
            runner.test_evaluator.metrics.append(METRICS.build({'type': kind, 'out_file_path': out}))
        metrics = runner.test()
    if out is not None and out_item == 'metrics' and runner.rank == 0:
        mmengine.dump(metrics, out)
    return metrics


def prepare(cfg: Config) -> None:
    """Fit the process and the config to the machine.

    Raises:
        RuntimeError: ``launcher='pytorch'`` without its processes.
    """
    flush_denormals()
    if cfg.get('launcher') == 'pytorch' and 'RANK' not in os.environ:
        raise RuntimeError('--launcher pytorch must be started by torchrun, for example by tools/dist_train.sh.')
    adapt_to_cpu(cfg)
    if cfg.get('strict_load', True):
        add_hooks(cfg, 'StrictLoadHook')


def keep_checkpoints_safe(cfg: Config) -> None:
    hooks = cfg.get('default_hooks') or {}
    checkpoint = hooks.get('checkpoint', {'type': 'CheckpointHook', 'interval': 1})  # the runner's default
    if checkpoint and checkpoint.get('type') == 'CheckpointHook':
        cfg.default_hooks = {**hooks, 'checkpoint': {**checkpoint, 'type': 'spikemm.SafeCheckpointHook'}}


def add_hooks(cfg: Config, *names: str) -> None:
    hooks = cfg.get('custom_hooks') or []
    present = {hook['type'] for hook in hooks if isinstance(hook, dict)}
    cfg.custom_hooks = [*hooks, *({'type': f'spikemm.{name}'} for name in names if f'spikemm.{name}' not in present)]


def build_runner(cfg: Config) -> Runner | FlexibleRunner:
    """Build mmengine's runner, or the one that ``runner_type`` names.

    For a model that does not fit on one GPU, its parameters can be sharded (FSDP)::

        runner_type = 'FlexibleRunner'
        strategy = dict(
            type='FSDPStrategy',
            state_dict_cfg='full',  # one checkpoint file, as without FSDP
            model_wrapper=dict(auto_wrap_policy=dict(
                type='torch.distributed.fsdp.wrap.size_based_auto_wrap_policy', min_num_params=1_000_000)))
    """
    if 'runner_type' in cfg and not cfg.get('env_cfg'):
        cfg.env_cfg = {'dist_cfg': {'backend': 'nccl'}}  # FlexibleRunner has no default
    return RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)


def count_batch(runner: Runner | FlexibleRunner) -> None:
    """Log the samples of an optimizer step, and let ``auto_scale_lr`` go by them: mmengine forgets accumulation."""
    loader = runner.cfg.train_dataloader
    batch = loader.get('batch_size') or loader.get('batch_sampler', {}).get('batch_size', 1)
    accumulated = runner.cfg.optim_wrapper.get('accumulative_counts', 1)
    print_log(
        f'Effective batch: {runner.world_size} GPUs or processes x {batch} samples x {accumulated} accumulated = '
        f'{runner.world_size * batch * accumulated} samples a step.', runner.logger)
    if accumulated > 1 and isinstance(runner, Runner) and (runner.auto_scale_lr or {}).get('enable'):
        runner.auto_scale_lr['base_batch_size'] /= accumulated
