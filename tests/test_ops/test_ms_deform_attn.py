import pytest
import torch
from mmcv.ops.multi_scale_deform_attn import MultiScaleDeformableAttnFunction, multi_scale_deformable_attn_pytorch


def tensors(dtype):
    """One image, two levels of 2 x 3 and 1 x 2 pixels, three queries, two heads, two points."""
    torch.manual_seed(0)
    shapes, starts = torch.tensor([[2, 3], [1, 2]]), torch.tensor([0, 6])
    value = torch.randn(1, 8, 2, 4, dtype=dtype, requires_grad=True)
    locations = torch.rand(1, 3, 2, 2, 2, 2, dtype=dtype, requires_grad=True)
    weights = torch.rand(1, 3, 2, 2, 2, dtype=dtype, requires_grad=True)
    return value, shapes, starts, locations, weights


def test_gradcheck():
    assert torch.autograd.gradcheck(MultiScaleDeformableAttnFunction.apply, (*tensors(torch.float64), 64))


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_types_round_only_the_result(dtype):
    value, shapes, starts, locations, weights = tensors(dtype)
    with torch.autocast('cpu', dtype):
        out = MultiScaleDeformableAttnFunction.apply(value, shapes, starts, locations, weights, 64)
    expected = multi_scale_deformable_attn_pytorch(value.float(), shapes, locations.float(), weights.float())
    torch.testing.assert_close(out, expected.to(dtype))


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a CUDA device')
def test_the_gpu_equals_the_cpu():
    inputs = tensors(torch.float32)
    on_gpu = MultiScaleDeformableAttnFunction.apply(*(x.cuda() for x in inputs), 64)
    torch.testing.assert_close(on_gpu.cpu(), MultiScaleDeformableAttnFunction.apply(*inputs, 64))
