# Spikformer on CIFAR10-DVS: 1 GPU x 16 recordings, 96 epochs, 10 of them warm-up, and 10 more at the last learning
# rate. The reference trains in fp16: add --amp to tools/train.py.
optim_wrapper = dict(
    optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.06),  # for a batch of 16
    paramwise_cfg=dict(flat_decay_mult=0.0))

# The reference's cosine counts from the first epoch, ours from the end of the warm-up: they differ by 5 % of the
# highest rate at most.
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-5 / 1e-3, by_epoch=True, begin=0, end=10, convert_to_iter_based=True),
    dict(
        type='CosineAnnealingLR', T_max=86, eta_min=1e-5, by_epoch=True, begin=10, end=96,
        convert_to_iter_based=True),
    dict(type='ConstantLR', factor=1.0, by_epoch=True, begin=96, end=106),
]

train_cfg = dict(by_epoch=True, max_epochs=106, val_interval=1)
val_cfg = dict()
test_cfg = dict()

auto_scale_lr = dict(base_batch_size=16)
