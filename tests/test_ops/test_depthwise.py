import pytest
import torch
import torch.nn.functional as F

from spikemm.ops.depthwise import depthwise_conv2d


def gradients(function, x, weight, bias, padding):
    args = (t.detach().clone(memory_format=torch.preserve_format) for t in (x, weight, bias))
    x, weight, bias = (t.requires_grad_() for t in args)
    y = function(x, weight, bias, padding)
    y.backward(torch.randn(y.shape, generator=torch.Generator().manual_seed(1)))
    return y, x.grad, weight.grad, bias.grad


def plain(x, weight, bias, padding):
    return F.conv2d(x, weight, bias, 1, padding, 1, x.shape[1])


@pytest.mark.parametrize('size', [(9, 9), (5, 31), (3, 4), (1, 1)])
@pytest.mark.parametrize('kernel, padding', [(5, 2), (7, 3), (7, 0)])
def test_output_and_gradients_are_those_of_torch(size, kernel, padding):
    if min(size) + 2 * padding < kernel:
        pytest.skip('the kernel is larger than the padded image')
    torch.manual_seed(0)
    x = torch.randn(3, 6, *size).contiguous(memory_format=torch.channels_last)
    args = x, torch.randn(6, 1, kernel, kernel), torch.randn(6), padding
    ours, theirs = gradients(depthwise_conv2d, *args), gradients(plain, *args)
    assert type(ours[0].grad_fn).__name__ == '_DepthwiseConv2dBackward', 'the comparison must run our kernel'
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-4)


def test_where_our_kernel_does_not_apply_torch_runs():
    x, weight = torch.randn(1, 4, 9, 9, dtype=torch.float64), torch.randn(4, 1, 7, 7, dtype=torch.float64)
    y = depthwise_conv2d(x, weight.requires_grad_(), None, 3)
    assert type(y.grad_fn).__name__ == 'ConvolutionBackward0'
    torch.testing.assert_close(y, plain(x, weight, None, 3))
