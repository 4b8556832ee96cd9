# Spike-driven Transformer V1 (8-384 and 8-512): 300 epochs, 20 of them warm-up, and 10 more at the last learning rate.
# The reference trains in fp16: add --amp to tools/train.py. It has 48 images a GPU and one learning rate whatever the
# number of GPUs; that number is not on record, 8 is our guess.
optim_wrapper = dict(
    optimizer=dict(type='Lamb', lr=1.5e-3, weight_decay=0.01),
    paramwise_cfg=dict(flat_decay_mult=0.0))

param_scheduler = [
    dict(type='LinearLR', start_factor=1e-5 / 1.5e-3, by_epoch=True, begin=0, end=20, convert_to_iter_based=True),
    dict(
        type='CosineAnnealingLR', T_max=280, eta_min=1.5e-5, by_epoch=True, begin=20, end=300,
        convert_to_iter_based=True),
    dict(type='ConstantLR', factor=1.0, by_epoch=True, begin=300, end=310),
]

train_cfg = dict(by_epoch=True, max_epochs=310, val_interval=1)
val_cfg = dict()
test_cfg = dict()

auto_scale_lr = dict(base_batch_size=384)
