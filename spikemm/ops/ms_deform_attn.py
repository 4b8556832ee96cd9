"""Multi-scale deformable attention on the GPU by mmcv's own plain torch version, which mmcv keeps for the CPU.

Shapes: ``value`` ``[B, keys, heads, channels]``, ``value_spatial_shapes`` ``[levels, 2]`` (height, width),
``sampling_locations`` ``[B, queries, heads, levels, points, 2]`` (x, y from 0 to 1), ``attention_weights`` the same
without the last axis, output ``[B, queries, heads * channels]``.
"""

import torch
from torch import Tensor

from spikemm.ops.precision import full_precision


def ms_deform_attn_forward(
    value: Tensor,
    value_spatial_shapes: Tensor,
    value_level_start_index: Tensor,
    sampling_locations: Tensor,
    attention_weights: Tensor,
    im2col_step: int,
) -> Tensor:
    """Sum the values sampled around every query by their attention weights."""
    return attend(value_spatial_shapes, value, sampling_locations, attention_weights).to(value.dtype)


def ms_deform_attn_backward(
    value: Tensor,
    value_spatial_shapes: Tensor,
    value_level_start_index: Tensor,
    sampling_locations: Tensor,
    attention_weights: Tensor,
    grad_output: Tensor,
    grad_value: Tensor,
    grad_sampling_loc: Tensor,
    grad_attn_weight: Tensor,
    im2col_step: int,
) -> None:
    """Fill the gradients of the values, the sampling locations and the attention weights."""
    leaves = [x.detach().requires_grad_() for x in full_precision(value, sampling_locations, attention_weights)]
    with torch.enable_grad():
        output = attend(value_spatial_shapes, *leaves)
    grads = torch.autograd.grad(output, leaves, grad_output.to(output.dtype))
    for result, grad in zip((grad_value, grad_sampling_loc, grad_attn_weight), grads, strict=True):
        result.copy_(grad)


def attend(spatial_shapes: Tensor, *tensors: Tensor) -> Tensor:
    # mmcv.ops is being imported while this module is.
    from mmcv.ops.multi_scale_deform_attn import multi_scale_deformable_attn_pytorch

    value, locations, weights = full_precision(*tensors)
    with torch.autocast(value.device.type, enabled=False):
        return multi_scale_deformable_attn_pytorch(value, spatial_shapes.tolist(), locations, weights)
