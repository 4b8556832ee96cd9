# 100 epochs of AdamW on HAR-DVS, 10 of them warm-up: the settings that the authors released with their next model;
# those of Meta-SpikeFormer itself are not public. They train in half precision (--amp) and average the weights.
optim_wrapper = dict(
    optimizer=dict(type='AdamW', lr=1.125e-5, weight_decay=0.01),  # lr = 4e-5 * 72 / 256
    paramwise_cfg=dict(flat_decay_mult=0.0),
    clip_grad=dict(max_norm=1.0))

param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=True, begin=0, end=10, convert_to_iter_based=True),
    dict(
        type='CosineAnnealingLR', T_max=90, eta_min=1e-6, by_epoch=True, begin=10, end=100,
        convert_to_iter_based=True),
]

train_cfg = dict(by_epoch=True, max_epochs=100, val_interval=1)
val_cfg = dict()
test_cfg = dict()

auto_scale_lr = dict(base_batch_size=72)
