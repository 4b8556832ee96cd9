# From T=1 to T=4 on VOC 2012: 40,000 iterations of AdamW in mixed precision, batch 16 = 8 GPUs x 2 images. All numbers
# but the batch are of the released configs; here every parameter has the same learning rate.
optim_wrapper = dict(
    type='AmpOptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-4, betas=(0.9, 0.999), weight_decay=0.005))

param_scheduler = [
    dict(type='LinearLR', start_factor=1e-7, by_epoch=False, begin=0, end=1000),
    dict(type='PolyLR', power=1.0, eta_min=0.0, by_epoch=False, begin=1000, end=40000),
]

train_cfg = dict(by_epoch=False, max_iters=40000, val_interval=4000)
val_cfg = dict()
test_cfg = dict()

auto_scale_lr = dict(base_batch_size=16)
