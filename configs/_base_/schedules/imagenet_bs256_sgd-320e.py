# SEW-ResNet on ImageNet: 8 GPUs x 32 images, 320 epochs of SGD without weight decay, the rate by a cosine from epoch to
# epoch down to 0. The reference trains and tests in fp16: add --amp to tools/train.py.
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=0.0))

param_scheduler = [dict(type='CosineAnnealingLR', T_max=320, eta_min=0.0, by_epoch=True, begin=0, end=320)]

train_cfg = dict(by_epoch=True, max_epochs=320, val_interval=1)
val_cfg = dict()
test_cfg = dict()

auto_scale_lr = dict(base_batch_size=256)
