import pytest
import torch
import torch.nn.functional as F
from mmcv.ops import DeformConv2dPack, ModulatedDeformConv2dPack, deform_conv2d, modulated_deform_conv2d

HALF_TYPES = pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])


def tensors():
    """Input, offset, mask, weight and bias of a 3 x 2 convolution in 2 groups with stride (1, 2) and padding 1."""
    torch.manual_seed(0)
    taps = 2 * 3 * 2  # of two offset groups
    shapes = (2, 4, 4, 3), (2, 2 * taps, 4, 2), (2, taps, 4, 2), (2, 2, 3, 2), (2,)
    return [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]


def v1(x, offset, weight):
    return deform_conv2d(x, offset, weight, (1, 2), 1, 1, 2, 2, False, 1)


def v2(x, offset, mask, weight, bias):
    return modulated_deform_conv2d(x, offset, mask, weight, bias, (1, 2), 1, 1, 2, 2)


def test_zero_offsets_and_a_mask_of_ones_give_a_convolution():
    x, offset, mask, weight, bias = tensors()
    expected = F.conv2d(x, weight, bias, (1, 2), 1, 1, 2)
    torch.testing.assert_close(v2(x, offset * 0, mask * 0 + 1, weight, bias), expected)
    torch.testing.assert_close(v1(x, offset * 0, weight) + bias[:, None, None], expected)


def test_v1_gradcheck():
    x, offset, _, weight, _ = tensors()
    assert torch.autograd.gradcheck(v1, (x, offset, weight))


def test_v2_gradcheck():
    assert torch.autograd.gradcheck(v2, tensors())
    assert torch.autograd.gradcheck(lambda *others: v2(*others, None), tensors()[:-1])


def test_the_v1_gradient_of_the_weight_alone():
    x, offset, _, weight, _ = tensors()
    together = torch.autograd.grad(v1(x, offset, weight).square().sum(), (x, offset, weight))[2]
    alone = torch.autograd.grad(v1(x.detach(), offset.detach(), weight).square().sum(), weight)[0]
    torch.testing.assert_close(alone, together)


@pytest.mark.parametrize('version', [1, 2])
def test_a_sample_on_coordinate_minus_1_has_no_offset_gradient(version):
    x, weight = torch.tensor([[[[1.0, 2], [3, 4]]]]), torch.ones(1, 1, 1, 1)
    offset = torch.zeros(1, 2, 4, 4, requires_grad=True)  # a 1 x 1 kernel with padding 1: samples -1, 0, 1, 2
    if version == 1:
        deform_conv2d(x, offset, weight, 1, 1).sum().backward()
    else:
        modulated_deform_conv2d(x, offset, torch.ones(1, 1, 4, 4), weight, None, 1, 1).sum().backward()
    dy, dx = torch.zeros(4, 4), torch.zeros(4, 4)
    dy[1:3, 1:3] = torch.tensor([[2.0, 2], [-3, -4]])  # next pixel minus this one; 0 follows the last
    dx[1:3, 1:3] = torch.tensor([[1.0, -2], [1, -4]])
    torch.testing.assert_close(offset.grad[0], torch.stack([dy, dx]))


def test_v2_reads_the_first_values_of_larger_offsets():
    x, offset, mask, weight, bias = (leaf.detach() for leaf in tensors())
    offset.requires_grad_()
    larger = torch.randn(2, offset.size(1), 5, 6, dtype=offset.dtype)
    larger.view(2, -1)[:, :offset[0].numel()] = offset.detach().flatten(1)
    larger.requires_grad_()
    for leaf in (offset, larger):
        v2(x, leaf, mask, weight, bias).square().sum().backward()
    head, rest = larger.grad.flatten(1).split([offset[0].numel(), larger[0].numel() - offset[0].numel()], 1)
    torch.testing.assert_close(head, offset.grad.flatten(1))
    assert not rest.any()


@HALF_TYPES
@pytest.mark.parametrize('layer', [DeformConv2dPack, ModulatedDeformConv2dPack])
def test_half_types(layer, dtype):
    torch.manual_seed(0)
    net, x = layer(4, 4, 3, padding=1).to(dtype), torch.randn(2, 4, 6, 6, dtype=dtype)
    net.conv_offset.weight.data.normal_(std=0.05)
    out = net(x)
    out.sum().backward()
    torch.testing.assert_close(out.float(), net.float()(x.float()), rtol=0.05, atol=0.15)
    assert all(p.grad.isfinite().all() for p in net.parameters())


@HALF_TYPES
def test_autocast(dtype):
    torch.manual_seed(0)
    net, x = ModulatedDeformConv2dPack(4, 4, 3, padding=1), torch.randn(2, 4, 6, 6)
    with torch.autocast('cpu', dtype):
        out = net(x)
    out.sum().backward()
    torch.testing.assert_close(out.float(), net(x), rtol=0.05, atol=0.05)
    assert net.weight.grad.dtype == torch.float32


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a CUDA device')
def test_the_gpu_equals_the_cpu():
    results = []
    for device in ('cpu', 'cuda'):
        leaves = [x.detach().to(device).requires_grad_() for x in tensors()]
        results.append(torch.autograd.grad(v2(*leaves).square().sum(), leaves))
    for on_cpu, on_gpu in zip(*results, strict=True):
        torch.testing.assert_close(on_gpu.cpu(), on_cpu)
