import pytest
import torch
from mmcv.ops import roi_pool

RAMP = (10 * torch.arange(8.0)[:, None] + torch.arange(8.0)).view(1, 1, 8, 8)  # pixel (y, x) holds 10 y + x


def test_a_ramp_by_hand():
    roi = torch.tensor([[0.0, 2, 2, 6, 6]])  # runs from 2 to 7: bins 2..4.5 and 4.5..7 end with the pixels 4 and 6
    torch.testing.assert_close(roi_pool(RAMP, roi, 2)[0, 0], torch.tensor([[44.0, 46.0], [64.0, 66.0]]))


def test_the_roi_is_not_rounded():
    roi = torch.tensor([[0.0, 0, 0, 4, 4]])  # 0..2.5 on the map, pixels 0, 1 and 2; torchvision would round to 0..2
    assert roi_pool(RAMP, roi, 1, 0.5).item() == 22


def test_ties_go_to_the_first_pixel():
    x = torch.ones(1, 1, 4, 4, requires_grad=True)
    roi_pool(x, torch.tensor([[0.0, 1, 1, 2, 2]]), 1).sum().backward()
    assert x.grad.nonzero().tolist() == [[0, 0, 1, 1]]


def test_an_empty_roi_and_a_bin_outside_give_0_and_no_gradient():
    x = (RAMP + 1).requires_grad_()
    pooled = roi_pool(x, torch.tensor([[0.0, 2.9, 2.9, 1.2, 1.2], [0, 20, 20, 24, 24]]), 2)
    pooled.sum().backward()
    assert not pooled.any()
    assert not x.grad.any()


def test_gradcheck():
    torch.manual_seed(0)
    x = torch.randn(2, 2, 6, 6, dtype=torch.float64, requires_grad=True)
    rois = torch.tensor([[0.0, -3, 1, 9, 6], [1, 2.3, 2.1, 5.2, 11], [1, 0, 0, 5, 5]], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: roi_pool(x, rois, (2, 3), 0.7), x)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_types(dtype):
    x = RAMP.to(dtype).requires_grad_()
    pooled = roi_pool(x, torch.tensor([[0.0, 2, 2, 6, 6]]), 2)
    pooled.sum().backward()
    assert pooled.tolist() == [[[[44.0, 46.0], [64.0, 66.0]]]]
    assert x.grad.sum() == 4


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a CUDA device')
def test_the_gpu_equals_the_cpu():
    rois = torch.tensor([[0.0, 2, 2, 6, 6], [0, 1, 3, 4, 5]])
    torch.testing.assert_close(roi_pool(RAMP.cuda(), rois.cuda(), 2).cpu(), roi_pool(RAMP, rois, 2))
