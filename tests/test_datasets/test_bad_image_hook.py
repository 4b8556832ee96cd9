import torch
from mmengine.model import BaseModel
from mmengine.runner import Runner

from spikemm.datasets import ImageFolder
from spikemm.engine.hooks.bad_image_hook import BadImageHook


class Mean(BaseModel):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(()))

    def forward(self, inputs, data_samples=None, mode='tensor'):
        return {'loss': self.weight * torch.stack(inputs).float().mean()}


def train(folder, work_dir):
    """Two epochs with two workers; returns the log."""
    pipeline = [{'type': 'spikemm.LoadImage', 'on_error': 'skip'}, {'type': 'PackInputs'}]
    loader = {
        'dataset': {'type': 'spikemm.ImageFolder', 'data_root': str(folder), 'pipeline': pipeline},
        'sampler': {'type': 'DefaultSampler', 'shuffle': False}, 'collate_fn': {'type': 'pseudo_collate'},
        'batch_size': 2, 'num_workers': 2, 'persistent_workers': True,
    }
    Runner(
        model=Mean(), work_dir=str(work_dir), experiment_name=work_dir.name, default_scope='mmpretrain',
        train_dataloader=loader, train_cfg={'by_epoch': True, 'max_epochs': 2},
        optim_wrapper={'optimizer': {'type': 'SGD', 'lr': 0.1}}, custom_hooks=[BadImageHook()],
    ).train()
    return next(work_dir.rglob('*.log')).read_text()


def test_every_epoch_reports_its_skipped_images(broken_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(ImageFolder, '_rand_another', lambda self: 0)  # a readable one
    log = train(broken_folder, tmp_path / 'work')
    assert 'Samples skipped: 3 in this epoch, 3 in this run.' in log
    assert 'Samples skipped: 3 in this epoch, 6 in this run.' in log
    assert f'{broken_folder}/cat/1.png, which cannot be used (the file is empty)' in log


def test_nothing_is_reported_when_every_image_is_readable(folder, tmp_path_factory):
    assert 'skipped' not in train(folder, tmp_path_factory.mktemp('work'))
