_base_ = './fpn_sdtv2-15m_t1_8xb2-80k_voc12-512x512.py'

model = dict(
    backbone=dict(arch=dict(preset='55m'), init_cfg=dict(checkpoint='checkpoints/sdtv2-55m_t1_in1k.pth')),
    neck=dict(in_channels=[64, 128, 256, 640], out_channels=256),
    decode_head=dict(in_channels=[256, 256, 256, 256]))
optim_wrapper = dict(optimizer=dict(lr=5e-4))
