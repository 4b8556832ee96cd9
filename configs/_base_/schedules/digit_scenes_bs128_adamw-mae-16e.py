# 16 epochs of AdamW: minutes on two cores.
optim_wrapper = dict(
    optimizer=dict(type='AdamW', lr=1e-3, betas=(0.9, 0.95), weight_decay=0.05),  # for a batch of 128
    paramwise_cfg=dict(flat_decay_mult=0.0))

param_scheduler = [
    dict(type='LinearLR', start_factor=0.04, by_epoch=True, begin=0, end=2, convert_to_iter_based=True),
    dict(
        type='CosineAnnealingLR', T_max=14, eta_min=1e-7, by_epoch=True, begin=2, end=16,
        convert_to_iter_based=True),
]

train_cfg = dict(by_epoch=True, max_epochs=16)

auto_scale_lr = dict(base_batch_size=128)
