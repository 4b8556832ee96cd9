# 48 epochs of AdamW on 1,000 images: minutes on two cores.
optim_wrapper = dict(
    optimizer=dict(type='AdamW', lr=3e-3, weight_decay=0.05),  # for a batch of 20
    paramwise_cfg=dict(flat_decay_mult=0.0))

param_scheduler = [
    dict(type='LinearLR', start_factor=0.04, by_epoch=True, begin=0, end=5, convert_to_iter_based=True),
    dict(
        type='CosineAnnealingLR', T_max=43, eta_min=1e-7, by_epoch=True, begin=5, end=48,
        convert_to_iter_based=True),
]

train_cfg = dict(by_epoch=True, max_epochs=48, val_interval=8)
val_cfg = dict()
test_cfg = dict()

auto_scale_lr = dict(base_batch_size=20)
