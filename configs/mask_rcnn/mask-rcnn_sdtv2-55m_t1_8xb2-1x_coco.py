_base_ = './mask-rcnn_sdtv2-15m_t1_8xb2-1x_coco.py'

model = dict(
    backbone=dict(arch=dict(preset='55m'), init_cfg=dict(checkpoint='checkpoints/sdtv2-55m_t1_in1k.pth')),
    neck=dict(in_channels=[128, 256, 512, 640]))
