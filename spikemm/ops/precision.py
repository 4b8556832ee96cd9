"""The precision in which mmcv's operators compute here."""

import torch
from torch import Tensor


def full_precision(*tensors: Tensor) -> tuple[Tensor, ...]:
    """Turn half types into float32 and leave the rest as it is.

    torchvision's operators have no bfloat16 kernels. In float16 mmcv computes box coordinates in half precision too,
    which moves a box by half a pixel from coordinate 512 on; here only inputs and results are rounded.
    """
    return tuple(x.float() if x.dtype in (torch.float16, torch.bfloat16) else x for x in tensors)
