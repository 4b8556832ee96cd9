# 200 epochs of AdamW on recordings of small event cameras, 10 of them warm-up. Spike-driven Transformer V2 has no such
# experiment; these are the settings of Spike-driven Transformer V1 on CIFAR10-DVS, trained in half precision (--amp).
optim_wrapper = dict(
    optimizer=dict(type='AdamW', lr=7.5e-3, weight_decay=1e-4),  # for a batch of 32
    paramwise_cfg=dict(flat_decay_mult=0.0))

param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3 / 7.5e-3, by_epoch=True, begin=0, end=10, convert_to_iter_based=True),
    dict(
        type='CosineAnnealingLR', T_max=190, eta_min=3e-4, by_epoch=True, begin=10, end=200,
        convert_to_iter_based=True),
]

train_cfg = dict(by_epoch=True, max_epochs=200, val_interval=1)
val_cfg = dict()
test_cfg = dict()

auto_scale_lr = dict(base_batch_size=32)
