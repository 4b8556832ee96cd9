# Fine-tuning after masked pre-training, the recipe of the released large model of Spike-driven Transformer V3: 150
# epochs, 10 of them warm-up; a layer learns at 0.75 times the rate of the next, the whole stem counts as one.

# lr = blr * batch / 256
optim_wrapper = dict(
    constructor='LearningRateDecayOptimWrapperConstructor',
    optimizer=dict(
        type='Lamb', lr=6e-4 * 1024 / 256, betas=(0.9, 0.999), eps=1e-6, weight_decay=0.05, trust_clip=True),
    paramwise_cfg=dict(layer_decay_rate=0.75, flat_decay_mult=0.0))

param_scheduler = [
    dict(type='LinearLR', start_factor=1e-4, by_epoch=True, begin=0, end=10, convert_to_iter_based=True),
    dict(
        type='CosineAnnealingLR', T_max=140, eta_min=1e-6, by_epoch=True, begin=10, end=150,
        convert_to_iter_based=True),
]

train_cfg = dict(by_epoch=True, max_epochs=150, val_interval=1)
val_cfg = dict()
test_cfg = dict()

auto_scale_lr = dict(base_batch_size=1024)
