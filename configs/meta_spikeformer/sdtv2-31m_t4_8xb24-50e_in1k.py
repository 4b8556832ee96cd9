_base_ = './sdtv2-15m_t4_8xb24-50e_in1k.py'

model = dict(backbone=dict(arch=dict(preset='31m')), head=dict(in_channels=480))
load_from = 'work_dirs/sdtv2-31m_t1_8xb128-200e_in1k/epoch_200.pth'
