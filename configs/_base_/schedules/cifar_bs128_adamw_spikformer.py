# Spikformer on CIFAR-10: 1 GPU x 128 images, 300 epochs, 20 of them warm-up, and 10 more at the last learning rate.
# The reference trains in fp16: add --amp to tools/train.py.
optim_wrapper = dict(
    optimizer=dict(type='AdamW', lr=5e-4, weight_decay=0.06),  # for a batch of 128
    paramwise_cfg=dict(flat_decay_mult=0.0))

# The reference's cosine counts from the first epoch, ours from the end of the warm-up: they differ by 5 % of the
# highest rate at most.
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-5 / 5e-4, by_epoch=True, begin=0, end=20, convert_to_iter_based=True),
    dict(
        type='CosineAnnealingLR', T_max=280, eta_min=1e-5, by_epoch=True, begin=20, end=300,
        convert_to_iter_based=True),
    dict(type='ConstantLR', factor=1.0, by_epoch=True, begin=300, end=310),
]

train_cfg = dict(by_epoch=True, max_epochs=310, val_interval=1)
val_cfg = dict()
test_cfg = dict()

auto_scale_lr = dict(base_batch_size=128)
