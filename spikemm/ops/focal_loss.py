"""Focal losses by log-sigmoid and softmax, Eq. (5) of `Focal Loss for Dense Object Detection
<https://arxiv.org/abs/1708.02002>`_: ``-alpha_t * (1 - p_t) ** gamma * log(p_t)``.

``target`` ``[N]`` holds class indices. An index outside ``0..C-1`` is background.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from spikemm.ops.precision import full_precision


def sigmoid_focal_loss_forward(
    input: Tensor, target: Tensor, weight: Tensor, output: Tensor, gamma: float, alpha: float
) -> None:
    """Fill ``output`` ``[N, C]`` with the loss of every logit in ``input`` ``[N, C]``.

    Where mmcv clamps the probability, which makes the loss jump from a logit of 17 on, this is exact.

    Args:
        weight: Factor ``[C]`` by the class of the target (background: 1), or empty.
    """
    (logits,) = full_precision(input)
    positive = is_class(target, logits)
    sign = torch.where(positive, 1.0, -1.0)  # p_t = sigmoid(sign * logit)
    loss = -(-sign * logits).sigmoid().pow(gamma) * F.logsigmoid(sign * logits)
    output.copy_(loss * torch.where(positive, alpha, 1 - alpha) * class_weight(weight, target, logits)[:, None])


def sigmoid_focal_loss_backward(
    input: Tensor, target: Tensor, weight: Tensor, grad_input: Tensor, gamma: float, alpha: float
) -> None:
    """Fill ``grad_input`` ``[N, C]`` with the derivative of every loss by its logit."""
    (logits,) = full_precision(input)
    positive = is_class(target, logits)
    sign = torch.where(positive, 1.0, -1.0)
    p, q = (sign * logits).sigmoid(), (-sign * logits).sigmoid()
    grad = sign * q.pow(gamma) * (gamma * p * F.logsigmoid(sign * logits) - q)
    grad_input.copy_(grad * torch.where(positive, alpha, 1 - alpha) * class_weight(weight, target, logits)[:, None])


def softmax_focal_loss_forward(
    softmax: Tensor, target: Tensor, weight: Tensor, output: Tensor, gamma: float, alpha: float
) -> None:
    """Fill ``output`` ``[N]`` with the loss of every sample; background has none.

    Args:
        softmax: Probabilities ``[N, C]``.
        weight: Factor ``[C]`` by the class of the target, or empty.
    """
    (softmax,) = full_precision(softmax)
    positive = is_class(target, softmax)
    p = (softmax * positive).sum(1)
    loss = -alpha * (1 - p).pow(gamma) * clamped_log(p)
    output.copy_(loss * positive.any(1) * class_weight(weight, target, softmax))


def softmax_focal_loss_backward(
    softmax: Tensor, target: Tensor, weight: Tensor, buff: Tensor, grad_input: Tensor, gamma: float, alpha: float
) -> None:
    """Fill ``grad_input`` ``[N, C]`` with the derivative of every loss by the logits before the softmax.

    Args:
        buff: ``[N]``, receives the derivative by the logarithm of the target's probability.
    """
    (softmax,) = full_precision(softmax)
    positive = is_class(target, softmax)
    p = (softmax * positive).sum(1)
    q = (1 - p).clamp(min=torch.finfo(p.dtype).tiny)  # for gamma < 1
    slope = alpha * (gamma * q.pow(gamma - 1) * p * clamped_log(p) - q.pow(gamma))
    slope = slope * positive.any(1) * class_weight(weight, target, softmax)
    buff.copy_(slope)
    grad_input.copy_(slope[:, None] * (positive.to(slope.dtype) - softmax))


def is_class(target: Tensor, like: Tensor) -> Tensor:
    """One-hot mask ``[N, C]``; a background row is all false."""
    return target[:, None] == torch.arange(like.size(1), device=like.device)


def class_weight(weight: Tensor, target: Tensor, like: Tensor) -> Tensor:
    """Factor ``[N]`` of every sample, 1 for background, where mmcv reads beyond the end of ``weight``."""
    ones = like.new_ones(len(target))
    if not weight.numel():
        return ones
    foreground = (target >= 0) & (target < len(weight))
    return torch.where(foreground, weight.to(ones)[target.clamp(0, len(weight) - 1)], ones)


def clamped_log(p: Tensor) -> Tensor:
    return p.clamp(min=torch.finfo(torch.float32).tiny).log()
