import math

import pytest
import torch
from mmcv.ops import sigmoid_focal_loss, softmax_focal_loss

LOGITS = torch.tensor([[0.3, -1.2, 2.0], [1.5, 0.1, -0.7], [-2.0, 0.4, 0.9]])
TARGET = torch.tensor([2, 0, 3])  # the last is background
LOSSES = pytest.mark.parametrize('loss', [sigmoid_focal_loss, softmax_focal_loss])


def test_sigmoid_focal_loss_by_hand():
    loss = sigmoid_focal_loss(torch.zeros(1, 2), torch.tensor([1]), 2.0, 0.25, None, 'none')  # p = 0.5 for both
    torch.testing.assert_close(loss, torch.tensor([[0.75, 0.25]]) * 0.25 * math.log(2))


def test_softmax_focal_loss_by_hand():
    loss = softmax_focal_loss(torch.zeros(1, 4), torch.tensor([1]), 2.0, 0.25, None, 'none')  # p = 0.25
    torch.testing.assert_close(loss, torch.tensor([0.25 * 0.75**2 * math.log(4)]))


def test_a_large_logit_has_its_true_loss():
    loss = sigmoid_focal_loss(torch.tensor([[30.0]]), torch.tensor([1]), 2.0, 0.25, None, 'none')
    assert loss.item() == pytest.approx(0.75 * 30)  # -log(1 - p) = 30; a p clamped to float32 would give 65.5


@LOSSES
@pytest.mark.parametrize('gamma', [2.0, 0.5, 0.0])
def test_gradcheck(loss, gamma):
    logits = LOGITS.double().requires_grad_()
    weight = torch.tensor([0.5, 1.0, 2.0], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: loss(x, TARGET, gamma, 0.25, weight, 'mean'), logits)


def test_the_class_weight_of_background_is_1():
    weight = torch.tensor([10.0, 10.0, 10.0])
    plain = sigmoid_focal_loss(LOGITS, TARGET, 2.0, 0.25, None, 'none')
    weighted = sigmoid_focal_loss(LOGITS, TARGET, 2.0, 0.25, weight, 'none')
    torch.testing.assert_close(weighted, plain * torch.tensor([[10.0], [10.0], [1.0]]))


def test_softmax_focal_loss_ignores_background():
    assert softmax_focal_loss(LOGITS, TARGET, 2.0, 0.25, None, 'none')[2] == 0


@LOSSES
@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_types(loss, dtype):
    logits, exact = LOGITS.to(dtype).requires_grad_(), LOGITS.to(dtype).float().requires_grad_()
    loss(logits, TARGET, 2.0, 0.25, None, 'sum').backward()
    loss(exact, TARGET, 2.0, 0.25, None, 'sum').backward()
    torch.testing.assert_close(logits.grad.float(), exact.grad, rtol=0.02, atol=1e-3)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a CUDA device')
@LOSSES
def test_the_gpu_equals_the_cpu(loss):
    on_gpu = loss(LOGITS.cuda(), TARGET.cuda(), 2.0, 0.25, None, 'none')
    torch.testing.assert_close(on_gpu.cpu(), loss(LOGITS, TARGET, 2.0, 0.25, None, 'none'))
