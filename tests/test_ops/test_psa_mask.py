import pytest
import torch
from mmcv.ops import PSAMask


@pytest.mark.parametrize('psa_type, expected', [
    ('collect', [[[3.0, 2]], [[5, 4]]]),  # [other, self]
    ('distribute', [[[3.0, 5]], [[2, 4]]]),  # [self, other]
])
def test_two_pixels_by_hand(psa_type, expected):
    windows = torch.tensor([[[[1.0, 2]], [[3, 4]], [[5, 6]]]])  # weights of the left neighbour, itself and the right
    assert PSAMask(psa_type, (1, 3))(windows)[0].tolist() == expected


@pytest.mark.parametrize('psa_type', ['collect', 'distribute'])
@pytest.mark.parametrize('size', [(3, 5), (7, 7)])
def test_gradcheck(psa_type, size):
    torch.manual_seed(0)
    windows = torch.randn(2, size[0] * size[1], 3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(PSAMask(psa_type, size), windows)
