_base_ = './mask-rcnn_sdtv2-15m_t4_8xb1-5e_coco.py'

model = dict(backbone=dict(arch=dict(preset='55m')), neck=dict(in_channels=[128, 256, 512, 640]))
load_from = 'work_dirs/mask-rcnn_sdtv2-55m_t1_8xb2-1x_coco/epoch_12.pth'
