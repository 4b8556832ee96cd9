import torch
from mmcv.ops import MaskedConv2d


def test_masked_conv_is_the_convolution_where_the_mask_is_and_0_elsewhere():
    torch.manual_seed(0)
    net, x = MaskedConv2d(3, 4, (3, 5), padding=(1, 2)), torch.randn(1, 3, 6, 7)
    mask = torch.rand(1, 6, 7) > 0.5
    mask[:, 0, 0] = mask[:, -1, -1] = True  # patches that reach over the border
    with torch.no_grad():
        torch.testing.assert_close(net(x, mask), net(x) * mask)
