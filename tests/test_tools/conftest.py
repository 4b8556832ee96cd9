"""A stock mmpretrain classifier that trains in a second on an image folder made here."""

import cv2
import numpy as np
import pytest
import tool_runs  # its hooks are in the config
import torch

from spikemm.apis import parse_train_args, train, train_config

CONFIG = """
default_scope = 'mmpretrain'
custom_imports = dict(imports=['tool_runs'])
model = dict(
    type='ImageClassifier',
    backbone=dict(type='LeNet5', num_classes=3),
    head=dict(type='ClsHead', loss=dict(type='CrossEntropyLoss', use_soft=True)),
    data_preprocessor=dict(num_classes=3, mean=[127.5], std=[127.5]),
    train_cfg=dict(augments=[dict(type='Mixup', alpha=0.8)]))
load = dict(type='LoadImageFromFile', color_type='grayscale')
train_dataloader = dict(
    batch_size=8, num_workers=2, sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type='CustomDataset', data_root='{images}', pipeline=[
        load, dict(type='RandomCrop', crop_size=32, padding=4), dict(type='RandomFlip', prob=1.0),
        dict(type='PackInputs')]))
val_dataloader = dict(
    batch_size=8, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='CustomDataset', data_root='{images}', pipeline=[load, dict(type='PackInputs')]))
val_evaluator = dict(type='Accuracy', topk=(1, ))
test_dataloader, test_evaluator = val_dataloader, val_evaluator
val_cfg, test_cfg = dict(), dict()
train_cfg = dict(by_epoch=True, max_epochs=3, val_interval=1)
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.05, momentum=0.9))
param_scheduler = dict(type='CosineAnnealingLR', by_epoch=False)
custom_hooks = [dict(type='LossRecorder'), dict(type='Breakdown', at=-1)]
"""


@pytest.fixture(scope='session')
def config(tmp_path_factory):
    folder = tmp_path_factory.mktemp('tiny')
    rng = np.random.default_rng(0)
    for label in range(3):
        (folder / 'images' / str(label)).mkdir(parents=True)
        for number in range(8):
            image = rng.integers(0, 100, (32, 32), dtype=np.uint8)
            image[8 * label:8 * label + 10] += 100
            cv2.imwrite(str(folder / 'images' / str(label) / f'{number}.png'), image)
    path = folder / 'tiny.py'
    path.write_text(CONFIG.format(images=folder / 'images'))
    return path


@pytest.fixture(autouse=True)
def one_thread(monkeypatch):
    """Models this small are 10 times slower with two threads on cores that others use as well."""
    monkeypatch.setenv('LOCAL_RANK', '0')  # which the command lines would set for good
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
    torch.set_flush_denormal(False)


@pytest.fixture
def run(config, tmp_path):
    """Train in this process, ``run('name', '--flag', 'key=value')``, and return the runner; its files are in name/."""
    numbers = iter(range(100))

    def train_in(name, *args):
        flags = [arg for arg in args if '=' not in arg]
        options = [arg for arg in args if '=' in arg]
        options.append(f'experiment_name={name}{next(numbers)}')  # mmengine's loggers are global and go by this name
        args = [str(config), '--work-dir', str(tmp_path / name), *flags, '--cfg-options', *options]
        runner = train(train_config(parse_train_args(args)))
        tool_runs.stop_workers(runner)
        return runner

    return train_in
