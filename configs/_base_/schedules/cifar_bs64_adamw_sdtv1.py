# 300 epochs of AdamW on CIFAR, 20 of them warm-up, of Spike-driven Transformer V1.
_base_ = './cifar_bs128_adamw.py'

optim_wrapper = dict(optimizer=dict(lr=3e-4))  # for a batch of 64
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-6 / 3e-4, by_epoch=True, begin=0, end=20, convert_to_iter_based=True),
    dict(
        type='CosineAnnealingLR', T_max=280, eta_min=1e-5, by_epoch=True, begin=20, end=300,
        convert_to_iter_based=True),
]

auto_scale_lr = dict(base_batch_size=64)
