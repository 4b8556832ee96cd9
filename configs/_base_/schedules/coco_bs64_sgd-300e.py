# YOLOX: 300 epochs of SGD on COCO, batch 64 = 8 GPUs x 8 images; the last 15 without mixing images, with an L1 loss.
optim_wrapper = dict(
    optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=5e-4, nesterov=True),
    paramwise_cfg=dict(norm_decay_mult=0.0, bias_decay_mult=0.0))

param_scheduler = [
    dict(type='mmdet.QuadraticWarmupLR', by_epoch=True, begin=0, end=5, convert_to_iter_based=True),
    dict(
        type='CosineAnnealingLR', T_max=280, eta_min=5e-4, by_epoch=True, begin=5, end=285,
        convert_to_iter_based=True),
    dict(type='ConstantLR', factor=1, by_epoch=True, begin=285, end=300),
]

train_cfg = dict(by_epoch=True, max_epochs=300, val_interval=10)
val_cfg = dict()
test_cfg = dict()

auto_scale_lr = dict(base_batch_size=64)
