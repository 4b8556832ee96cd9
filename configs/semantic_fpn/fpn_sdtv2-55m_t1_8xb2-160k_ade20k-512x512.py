# The head has 128 channels: with them, and not with the 256 of the released config, it is the paper's 58.9 M.
_base_ = './fpn_sdtv2-15m_t1_8xb2-160k_ade20k-512x512.py'

model = dict(
    backbone=dict(arch=dict(preset='55m'), init_cfg=dict(checkpoint='checkpoints/sdtv2-55m_t1_in1k.pth')),
    neck=dict(in_channels=[64, 128, 256, 640], out_channels=256),
    decode_head=dict(in_channels=[256, 256, 256, 256]))
