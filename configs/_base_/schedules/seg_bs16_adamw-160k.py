# 160,000 iterations of AdamW for Semantic FPN on ADE20K, batch 16 = 8 GPUs x 2 images.
#
# All numbers but the batch are of the released configs. Those have 1 (15M) or 5 (55M) images a GPU and do not record
# the number of GPUs: 16 is mmseg's usual batch on ADE20K.
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-3, betas=(0.9, 0.999), weight_decay=0.005),
    paramwise_cfg=dict(custom_keys=dict(decode_head=dict(lr_mult=2.0))))

param_scheduler = [
    dict(type='LinearLR', start_factor=1e-6, by_epoch=False, begin=0, end=1500),
    dict(type='PolyLR', power=1.0, eta_min=0.0, by_epoch=False, begin=1500, end=160000),
]

train_cfg = dict(by_epoch=False, max_iters=160000, val_interval=16000)
val_cfg = dict()
test_cfg = dict()

auto_scale_lr = dict(base_batch_size=16)
