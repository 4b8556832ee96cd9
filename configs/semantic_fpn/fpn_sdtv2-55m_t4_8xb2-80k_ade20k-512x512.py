_base_ = './fpn_sdtv2-55m_t1_8xb2-160k_ade20k-512x512.py'

model = dict(backbone=dict(T=4, init_cfg=None))  # all weights come from load_from
# As released: mixed precision, the neck learns twice as fast as well, ten times the weight decay, 80,000 iterations.
# The released schedule would end at 160,000 and is cut off half-way; this one ends.
optim_wrapper = dict(
    type='AmpOptimWrapper',
    optimizer=dict(weight_decay=0.05),
    paramwise_cfg=dict(custom_keys=dict(neck=dict(lr_mult=2.0))))
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-6, by_epoch=False, begin=0, end=1500),
    dict(type='PolyLR', power=1.0, eta_min=0.0, by_epoch=False, begin=1500, end=80000),
]
train_cfg = dict(max_iters=80000, val_interval=8000)
load_from = 'work_dirs/fpn_sdtv2-55m_t1_8xb2-160k_ade20k-512x512/iter_160000.pth'
