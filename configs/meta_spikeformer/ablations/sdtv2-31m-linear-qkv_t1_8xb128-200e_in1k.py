# RepConv-1/2/3 -> Linear
_base_ = '../sdtv2-31m_t1_8xb128-200e_in1k.py'

model = dict(backbone=dict(arch=dict(rep_qkv=False)))
