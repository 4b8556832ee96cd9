# Masked pre-training, the recipe of the released large model of Spike-driven Transformer V3, which is that of MAE: 200
# epochs, 20 of them warm-up. Spikformer V2's own is not published.

# lr = blr * batch / 256
optim_wrapper = dict(
    optimizer=dict(type='AdamW', lr=1.5e-4 * 2048 / 256, betas=(0.9, 0.95), eps=1e-4, weight_decay=0.05))

param_scheduler = [
    dict(type='LinearLR', start_factor=1e-4, by_epoch=True, begin=0, end=20, convert_to_iter_based=True),
    dict(
        type='CosineAnnealingLR', T_max=180, eta_min=0.0, by_epoch=True, begin=20, end=200,
        convert_to_iter_based=True),
]

train_cfg = dict(by_epoch=True, max_epochs=200)

auto_scale_lr = dict(base_batch_size=2048)
