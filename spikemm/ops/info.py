"""What ``mmcv.utils.collect_env`` reports about the operators."""

import torchvision


def get_compiler_version() -> str:
    return f'none, operators by spikemm on torchvision {torchvision.__version__}'


def get_compiling_cuda_version() -> str:
    return 'not available'
