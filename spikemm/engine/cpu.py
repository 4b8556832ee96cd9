"""What makes mixed precision and distributed training work on a machine without an accelerator.

mmengine's ``AmpOptimWrapper`` asserts a GPU; its launcher sets a CUDA device and its DistributedDataParallel is given
one. :func:`adapt_to_cpu` puts what works here in their place, in a config, and does nothing where there is a GPU.
"""

import warnings
from contextlib import contextmanager

import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.dist import is_distributed
from mmengine.logging import print_log
from mmengine.model import MMDistributedDataParallel, revert_sync_batchnorm
from mmengine.optim import OptimWrapper
from mmengine.registry import MODEL_WRAPPERS
from torch import distributed, nn

from spikemm.registry import OPTIM_WRAPPERS


@OPTIM_WRAPPERS.register_module()
class CPUAmpOptimWrapper(OptimWrapper):
    """Mixed precision on CPU: the forward pass runs under bfloat16 autocast, which needs no loss scaling."""

    @contextmanager
    def optim_context(self, model: nn.Module):
        with super().optim_context(model), torch.autocast('cpu', torch.bfloat16):
            yield


@MODEL_WRAPPERS.register_module()
class CPUDistributedDataParallel(MMDistributedDataParallel):
    """Data-parallel training over processes on CPU.

    SyncBN, which has no CPU kernel, becomes BN: each process normalises with the statistics of its own part of the
    batch, and the processes' running statistics differ.
    """

    def __init__(self, module: nn.Module, device_ids=None, **kwargs) -> None:
        if any(isinstance(layer, nn.SyncBatchNorm) for layer in module.modules()):
            print_log('SyncBN has no CPU kernel and becomes BN, over the part of the batch of one process.', 'current')
        super().__init__(revert_sync_batchnorm(module), device_ids=None, **kwargs)


def adapt_to_cpu(cfg: Config) -> None:
    """Change a config in place, and start the process group, where there is no accelerator.

    Raises:
        ValueError: The config asks for what no CPU can do.
    """
    if get_device() != 'cpu':
        return
    strategy = cfg.get('strategy', {}).get('type')
    if strategy in ('FSDPStrategy', 'DeepSpeedStrategy', 'ColossalAIStrategy'):
        raise ValueError(f"strategy must be 'DDPStrategy' or absent on a machine without a GPU, but got {strategy!r}.")
    adapt_optim_wrapper(cfg)
    if cfg.get('launcher', 'none') != 'none':
        adapt_launcher(cfg)


def adapt_optim_wrapper(cfg: Config) -> None:
    wrapper = cfg.get('optim_wrapper') or {}
    if wrapper.get('type') == 'AmpOptimWrapper':
        wrapper['type'] = 'spikemm.CPUAmpOptimWrapper'
        for scaling in ('loss_scale', 'dtype', 'use_fsdp'):
            wrapper.pop(scaling, None)
        print_log('No GPU: mixed precision is bfloat16 autocast on CPU.')


def adapt_launcher(cfg: Config) -> None:
    if cfg.launcher != 'pytorch':
        raise ValueError(f"launcher must be 'none' or 'pytorch' on a machine without a GPU, but got {cfg.launcher!r}.")
    if not is_distributed():
        distributed.init_process_group('gloo')  # mmengine then skips its own, which sets a CUDA device
    cfg.pop('sync_bn', None)
    unused = cfg.get('find_unused_parameters', False)
    wrapper = cfg.get('model_wrapper_cfg') or {'broadcast_buffers': False, 'find_unused_parameters': unused}
    if wrapper.get('type', 'MMDistributedDataParallel') == 'MMDistributedDataParallel':
        wrapper = {**wrapper, 'type': 'CPUDistributedDataParallel'}
    if 'runner_type' in cfg:
        cfg.strategy = {'type': 'DDPStrategy', 'model_wrapper': wrapper}
    else:
        cfg.model_wrapper_cfg = wrapper


def flush_denormals() -> None:
    """Let this process compute with 0 for numbers below the normal range; call it before the first computation.

    At initialisation few neurons are near their threshold, and the tails of the surrogate gradients underflow: on CPUs
    that handle denormal numbers in microcode, training is 10 to 30 times slower. The result of an operation changes by
    less than 1.2e-38.

    The mode belongs to a thread and is inherited when a thread is created. Measured with two intra-op threads on half a
    tensor each: set before the pool of OpenMP threads exists, both halves are flushed, in the backward pass and in
    convolutions as well; set after a first parallel operation, only the half of the main thread is. Forked data loader
    workers inherit it too.
    """
    warnings.filterwarnings('ignore', message='The value of the smallest subnormal')  # numpy finds it to be 0 now
    if not torch.set_flush_denormal(True):
        print_log('This CPU cannot flush denormal numbers; the first iterations of training may be slow.')
