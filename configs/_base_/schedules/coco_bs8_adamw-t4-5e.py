# From a detector at T=1 to T=4: 5 epochs of AdamW on COCO, batch 8 = 8 GPUs x 1 image.
#
# The paper has no COCO result at T=4. Length, learning rate and decay to a hundredth are those of the released config
# that continues a trained detector, t1_adamw_0.440_15m; it does so at T=1, with a batch of 5.
optim_wrapper = dict(
    optimizer=dict(type='AdamW', lr=2.5e-5 * 8 / 5, betas=(0.9, 0.999), weight_decay=0.05),
    paramwise_cfg=dict(norm_decay_mult=0.0))

param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=1000),
    dict(
        type='LinearLR', start_factor=1.0, end_factor=0.01, by_epoch=True, begin=0, end=5,
        convert_to_iter_based=True),
]

train_cfg = dict(by_epoch=True, max_epochs=5, val_interval=1)
val_cfg = dict()
test_cfg = dict()

auto_scale_lr = dict(base_batch_size=8)
