"""A run that was interrupted and resumed is the run that was not."""

import resource
from contextlib import contextmanager

import pytest
from tool_runs import losses

BY_ITER = (
    'train_cfg._delete_=True', 'train_cfg.by_epoch=False', 'train_cfg.max_iters=6', 'train_cfg.val_interval=2',
    'train_dataloader.sampler.type=InfiniteSampler', 'default_hooks.checkpoint.type=CheckpointHook',
    'default_hooks.checkpoint.by_epoch=False', 'default_hooks.checkpoint.interval=2')
KEEP_ONE = (
    'default_hooks.checkpoint.type=CheckpointHook', 'default_hooks.checkpoint.interval=1',
    'default_hooks.checkpoint.max_keep_ckpts=1')


@pytest.mark.parametrize('options', [
    ('train_dataloader.num_workers=2',),
    ('train_dataloader.num_workers=2', '--no-persistent-workers'),
    ('train_dataloader.num_workers=0',),
], ids=['persistent workers', 'fresh workers', 'no workers'])
def test_an_epoch_based_run_continues_exactly(run, tmp_path, options):
    seed = run('whole', *options).seed
    with pytest.raises(InterruptedError):
        run('broken', *options, f'randomness.seed={seed}', 'custom_hooks.1.at=6')
    run('broken', *options, '--resume')  # no seed: the checkpoint has it
    assert losses(tmp_path / 'broken') == losses(tmp_path / 'whole')


def test_an_iteration_based_run_continues_exactly_from_any_checkpoint(run, tmp_path):
    seed = run('whole', *BY_ITER).seed
    with pytest.raises(InterruptedError):
        run('broken', *BY_ITER, f'randomness.seed={seed}', 'custom_hooks.1.at=5')
    run('broken', *BY_ITER, '--resume', str(tmp_path / 'broken' / 'iter_4.pth'))
    assert losses(tmp_path / 'broken') == losses(tmp_path / 'whole')


def test_epochs_are_augmented_differently(run, tmp_path):
    """mmengine starts workers that are not persistent with the same seed in every epoch."""
    fixed = ('--no-persistent-workers', 'train_dataloader.sampler.shuffle=False', 'optim_wrapper.optimizer.lr=0',
             'param_scheduler=None', 'model.train_cfg=None', 'model.head.loss.use_soft=False')
    run('still', *fixed)
    first, second = (losses(tmp_path / 'still')[iteration][0] for iteration in (0, 3))
    assert first != second


def test_a_run_resumed_for_more_epochs_follows_the_longer_schedule(run, tmp_path):
    run('whole')
    run('longer', 'train_cfg.max_epochs=2')
    run('longer', '--resume')
    rates = {name: {at: rate for at, (_, rate) in losses(tmp_path / name).items()} for name in ('whole', 'longer')}
    assert rates['longer'][5] < rates['whole'][5], 'the shorter cosine must have come further down'
    for iteration in (6, 7, 8):
        assert rates['longer'][iteration] == pytest.approx(rates['whole'][iteration], rel=1e-12)


def test_a_full_disk_leaves_the_checkpoint_before(run, tmp_path):
    work_dir = tmp_path / 'full'
    run('full', *KEEP_ONE, 'train_cfg.max_epochs=1')
    limit = (work_dir / 'epoch_1.pth').stat().st_size // 2
    with largest_file(limit), pytest.raises(OSError, match='what was there before is unchanged') as refused:
        run('full', *KEEP_ONE, '--resume')
    assert refused.value.filename == str(work_dir / 'epoch_2.pth')
    assert {path.name for path in work_dir.iterdir() if path.is_file()} == {
        'tiny.py', 'losses_0.json', 'epoch_1.pth', 'last_checkpoint'}
    run('full', *KEEP_ONE, '--resume')
    assert not (work_dir / 'epoch_1.pth').exists()
    assert (work_dir / 'last_checkpoint').read_text() == str(work_dir / 'epoch_3.pth')


@contextmanager
def largest_file(size):
    """Let writes beyond ``size`` bytes of a file fail, as on a full disk, but with "File too large"."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
