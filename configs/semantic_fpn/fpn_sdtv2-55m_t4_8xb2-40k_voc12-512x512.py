_base_ = './fpn_sdtv2-15m_t4_8xb2-40k_voc12-512x512.py'

model = dict(
    backbone=dict(arch=dict(preset='55m')),
    neck=dict(in_channels=[64, 128, 256, 640], out_channels=256),
    decode_head=dict(in_channels=[256, 256, 256, 256]))
load_from = 'work_dirs/fpn_sdtv2-55m_t1_8xb2-80k_voc12-512x512/iter_80000.pth'
