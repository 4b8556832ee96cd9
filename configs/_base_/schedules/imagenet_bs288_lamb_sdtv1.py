# Spike-driven Transformer V1 (6-512, 10-512 and 8-768), which have a lower learning rate than 8-384 and 8-512. The last
# learning rate is that of 6-512; we do not know those of the others.
_base_ = './imagenet_bs384_lamb_sdtv1.py'

optim_wrapper = dict(optimizer=dict(lr=1e-3))
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-5 / 1e-3, by_epoch=True, begin=0, end=20, convert_to_iter_based=True),
    dict(
        type='CosineAnnealingLR', T_max=280, eta_min=2e-5, by_epoch=True, begin=20, end=300,
        convert_to_iter_based=True),
    dict(type='ConstantLR', factor=1.0, by_epoch=True, begin=300, end=310),
]

auto_scale_lr = dict(base_batch_size=288)
