_base_ = './fpn_sdtv2-15m_t1_8xb2-160k_ade20k-512x512.py'

model = dict(backbone=dict(T=4, init_cfg=None))  # all weights come from load_from
# As released: mixed precision, and the neck learns twice as fast as well.
optim_wrapper = dict(type='AmpOptimWrapper', paramwise_cfg=dict(custom_keys=dict(neck=dict(lr_mult=2.0))))
load_from = 'work_dirs/fpn_sdtv2-15m_t1_8xb2-160k_ade20k-512x512/iter_160000.pth'  # where tools/train.py puts T=1
