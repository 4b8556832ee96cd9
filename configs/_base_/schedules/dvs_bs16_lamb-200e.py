# 200 epochs of LAMB on DVS128 Gesture. Spike-driven Transformer V2 has no such experiment; optimizer, learning rate,
# decay and batch are those of Spike-driven Transformer V1 (T = 16), warm-up and last learning rate ours.
optim_wrapper = dict(
    optimizer=dict(type='Lamb', lr=3e-4, weight_decay=0.06),  # for a batch of 16
    paramwise_cfg=dict(flat_decay_mult=0.0))

param_scheduler = [
    dict(type='LinearLR', start_factor=1e-5 / 3e-4, by_epoch=True, begin=0, end=10, convert_to_iter_based=True),
    dict(
        type='CosineAnnealingLR', T_max=190, eta_min=1e-5, by_epoch=True, begin=10, end=200,
        convert_to_iter_based=True),
]

train_cfg = dict(by_epoch=True, max_epochs=200, val_interval=1)
val_cfg = dict()
test_cfg = dict()

auto_scale_lr = dict(base_batch_size=16)
