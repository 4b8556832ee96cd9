import pytest
import torch
from mmcv.ops import roi_align

from spikemm.ops.roi_align import gradient_of_average, sample_points

RAMP = (10 * torch.arange(8.0)[:, None] + torch.arange(8.0)).view(1, 1, 8, 8)  # pixel (y, x) holds 10 y + x
ROI = torch.tensor([[0.0, 2, 2, 6, 6]])
RANDOM_ROIS = torch.tensor([[0.0, -3, 1, 9, 6], [1, 2.3, 2.1, 5.2, 11], [1, 0, 0, 8, 8], [0, 3, 3, 3, 3]])


@pytest.mark.parametrize('mode, aligned, expected', [
    ('avg', True, [[27.5, 29.5], [47.5, 49.5]]),  # the centres of the bins, 3 and 5, are 2.5 and 4.5 on the map
    ('avg', False, [[33.0, 35.0], [53.0, 55.0]]),
    ('max', True, [[33.0, 35.0], [53.0, 55.0]]),  # the last of the samples 2, 3 and 4, 5
])
def test_a_ramp_by_hand(mode, aligned, expected):
    pooled = roi_align(RAMP, ROI, (2, 2), 1.0, 2, mode, aligned)
    torch.testing.assert_close(pooled[0, 0], torch.tensor(expected))


def test_spatial_scale_and_adaptive_sampling():
    roi = torch.tensor([[0.0, 8, 8, 24, 24]])  # 2..6 on the map: 4 pixels in 2 bins, 2 samples each
    torch.testing.assert_close(roi_align(RAMP, roi, 2, 0.25, 0), roi_align(RAMP, ROI, 2, 1.0, 2))


def test_the_gradient_of_the_maximum_goes_to_the_greatest_sample():
    x = RAMP.clone().requires_grad_()
    roi_align(x, ROI, (1, 1), 1.0, 2, 'max').sum().backward()  # samples 2.5 and 4.5: the four pixels around the last
    expected = torch.zeros(8, 8)
    expected[4:6, 4:6] = 0.25
    torch.testing.assert_close(x.grad[0, 0], expected)


@pytest.mark.parametrize('mode', ['avg', 'max'])
@pytest.mark.parametrize('aligned', [True, False])
def test_gradcheck(mode, aligned):
    torch.manual_seed(0)
    x = torch.randn(2, 2, 8, 8, dtype=torch.float64, requires_grad=True)
    rois = RANDOM_ROIS.double()
    assert torch.autograd.gradcheck(lambda x: roi_align(x, rois, (2, 3), 0.7, 0, mode, aligned), x)


@pytest.mark.parametrize('aligned', [True, False])
@pytest.mark.parametrize('sampling_ratio', [0, 2])
def test_the_fixed_order_gradient_equals_the_kernel(aligned, sampling_ratio):
    torch.manual_seed(0)
    x = torch.randn(2, 3, 8, 8, requires_grad=True)
    pooled = roi_align(x, RANDOM_ROIS, (2, 3), 0.7, sampling_ratio, 'avg', aligned)
    grad = torch.randn_like(pooled)
    pooled.backward(grad)
    points = sample_points(RANDOM_ROIS, (2, 3), 0.7, sampling_ratio, aligned)
    torch.testing.assert_close(gradient_of_average(grad, points, x.shape), x.grad)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
@pytest.mark.parametrize('mode', ['avg', 'max'])
def test_half_types_round_only_the_result(dtype, mode):
    torch.manual_seed(0)
    x = torch.randn(2, 3, 8, 8).to(dtype).requires_grad_()
    exact = x.detach().float().requires_grad_()
    pooled = roi_align(x, RANDOM_ROIS, (2, 3), 0.7, 0, mode)  # RoIs stay in float32
    expected = roi_align(exact, RANDOM_ROIS, (2, 3), 0.7, 0, mode)
    torch.testing.assert_close(pooled, expected.to(dtype))
    if mode == 'avg':  # mmcv keeps the positions of the maximum in the type of the features
        pooled.sum().backward()
        expected.sum().backward()
        torch.testing.assert_close(x.grad, exact.grad.to(dtype))


@pytest.mark.parametrize('mode', ['avg', 'max'])
def test_autocast_leaves_float32_alone(mode):
    torch.manual_seed(0)
    x = torch.randn(2, 3, 8, 8)
    expected = roi_align(x, RANDOM_ROIS, (2, 3), 0.7, 0, mode)
    with torch.autocast('cpu', torch.bfloat16):
        torch.testing.assert_close(roi_align(x, RANDOM_ROIS, (2, 3), 0.7, 0, mode), expected, rtol=0, atol=0)


@pytest.mark.parametrize('mode', ['avg', 'max'])
def test_no_rois_and_an_empty_roi(mode):
    x = RAMP.clone().requires_grad_()
    assert roi_align(x, torch.zeros(0, 5), 2, 1.0, 0, mode).shape == (0, 1, 2, 2)
    pooled = roi_align(x, torch.tensor([[0.0, 3, 3, 3, 3]]), 2, 1.0, 0, mode)
    pooled.sum().backward()
    assert not pooled.any()
    assert not x.grad.any()


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a CUDA device')
@pytest.mark.parametrize('mode', ['avg', 'max'])
@pytest.mark.parametrize('deterministic', [False, True])
def test_the_gpu_equals_the_cpu(mode, deterministic):
    torch.manual_seed(0)
    x = torch.randn(2, 3, 8, 8, requires_grad=True)
    y = x.detach().cuda().requires_grad_()
    torch.use_deterministic_algorithms(deterministic)
    try:
        for features in (x, y):
            roi_align(features, RANDOM_ROIS.to(features.device), (2, 3), 0.7, 0, mode).square().sum().backward()
    finally:
        torch.use_deterministic_algorithms(False)
    torch.testing.assert_close(y.grad.cpu(), x.grad)
