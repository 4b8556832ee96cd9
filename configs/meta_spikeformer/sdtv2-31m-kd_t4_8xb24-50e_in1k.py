_base_ = './sdtv2-55m-kd_t4_8xb24-50e_in1k.py'

model = dict(backbone=dict(arch=dict(preset='31m')), head=dict(in_channels=480))
# The released script distils in this step for the first time, so the second classifier is not in the checkpoint.
load_from = 'work_dirs/sdtv2-31m_t1_8xb128-200e_in1k/epoch_200.pth'
strict_load = False
