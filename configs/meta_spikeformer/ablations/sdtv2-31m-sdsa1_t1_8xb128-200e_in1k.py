_base_ = '../sdtv2-31m_t1_8xb128-200e_in1k.py'

model = dict(backbone=dict(sdsa=1))
