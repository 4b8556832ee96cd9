# The larger ANN transformer with which the paper's Table 4 compares; mmdet has it.
_base_ = './fpn_pvt-tiny_8xb2-160k_ade20k-512x512.py'
model = dict(
    backbone=dict(
        num_layers=[3, 4, 6, 3],
        init_cfg=dict(checkpoint='https://github.com/whai362/PVT/releases/download/v2/pvt_small.pth')))
