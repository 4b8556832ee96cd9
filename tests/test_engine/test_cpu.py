"""What makes mixed precision and distributed training work without a GPU."""

import subprocess
import sys

import pytest
import torch
from mmengine.config import Config
from torch import distributed, nn

from spikemm.engine import cpu


@pytest.fixture
def process_group(tmp_path):
    distributed.init_process_group('gloo', init_method=f'file://{tmp_path}/store', rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


def test_sync_batch_norm_becomes_batch_norm_in_place_of_failing(process_group):
    net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.SyncBatchNorm(4))
    wrapped = cpu.CPUDistributedDataParallel(net, device_ids=[0], broadcast_buffers=False)
    wrapped(torch.rand(2, 3, 4, 4)).sum().backward()
    assert not any(isinstance(module, nn.SyncBatchNorm) for module in wrapped.modules())
    assert set(wrapped.module.state_dict()) == {
        '0.weight', '0.bias', '1.weight', '1.bias', '1.running_mean', '1.running_var', '1.num_batches_tracked'}


def test_a_config_for_gpus_is_adapted(process_group, monkeypatch):
    monkeypatch.setattr(cpu, 'get_device', lambda: 'cpu')
    cfg = Config({
        'launcher': 'pytorch', 'sync_bn': 'torch', 'find_unused_parameters': True,
        'optim_wrapper': {'type': 'AmpOptimWrapper', 'loss_scale': 512.0, 'dtype': 'float16', 'accumulative_counts': 2},
    })
    cpu.adapt_to_cpu(cfg)
    assert cfg.optim_wrapper == {'type': 'spikemm.CPUAmpOptimWrapper', 'accumulative_counts': 2}
    assert cfg.model_wrapper_cfg == {
        'type': 'CPUDistributedDataParallel', 'broadcast_buffers': False, 'find_unused_parameters': True}
    assert 'sync_bn' not in cfg


def test_a_config_is_left_alone_where_there_is_a_gpu(monkeypatch):
    monkeypatch.setattr(cpu, 'get_device', lambda: 'cuda')
    given = {'launcher': 'slurm', 'optim_wrapper': {'type': 'AmpOptimWrapper'}, 'strategy': {'type': 'FSDPStrategy'}}
    cfg = Config(given)
    cpu.adapt_to_cpu(cfg)
    assert cfg.to_dict() == given


def test_a_launcher_that_needs_a_gpu_is_refused(monkeypatch):
    monkeypatch.setattr(cpu, 'get_device', lambda: 'cpu')
    with pytest.raises(ValueError, match=r"launcher must be 'none' or 'pytorch' .* but got 'slurm'"):
        cpu.adapt_to_cpu(Config({'launcher': 'slurm'}))


DENORMALS = """
import torch
from spikemm.apis.run import flush_denormals
import mmpretrain.models, spikemm.engine
torch.set_num_threads(2)
flush_denormals()
x = torch.full((1 << 22,), 1e-20)
product = (x * 1e-20).view(torch.int32)  # a comparison of the floats would itself flush
w = x.clone().requires_grad_()
(w * w).backward(x)
print(int(product.count_nonzero()), int(w.grad.view(torch.int32).count_nonzero()))
"""


def test_denormals_are_flushed_by_every_thread():
    done = subprocess.run([sys.executable, '-c', DENORMALS], capture_output=True, text=True)
    assert done.stdout.split() == ['0', '0'], done.stderr
