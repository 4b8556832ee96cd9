"""A run that was interrupted and resumed is the run that was not."""

import pytest
from loss_recorder import losses


@pytest.mark.parametrize('loader', [
    ('train_dataloader.num_workers=2',),
    ('train_dataloader.num_workers=2', '--no-persistent-workers'),
    ('train_dataloader.num_workers=0',),
], ids=['persistent', 'fresh', 'no workers'])
def test_losses_go_on_as_if_nothing_had_happened(run, tmp_path, loader):
    first = run('whole', *loader)
    seed = f'randomness.seed={first.seed}'
    whole = losses(tmp_path / 'whole')
    with pytest.raises(InterruptedError):
        run('broken', *loader, seed, 'custom_hooks.1.at=3')
    run('broken', *loader, '--resume')
    assert losses(tmp_path / 'broken') == whole
