# 20 epochs of AdamW: minutes on two cores.
optim_wrapper = dict(
    optimizer=dict(type='AdamW', lr=2e-3, betas=(0.9, 0.95), weight_decay=0.05),  # for a batch of 128
    paramwise_cfg=dict(flat_decay_mult=0.0))

param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=True, begin=0, end=1, convert_to_iter_based=True),
    dict(
        type='CosineAnnealingLR', T_max=19, eta_min=1e-6, by_epoch=True, begin=1, end=20,
        convert_to_iter_based=True),
]

train_cfg = dict(by_epoch=True, max_epochs=20)

auto_scale_lr = dict(base_batch_size=128)
