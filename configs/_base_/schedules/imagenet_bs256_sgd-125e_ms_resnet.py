# MS-ResNet: 125 epochs of SGD with cosine decay, without warm-up. How many GPUs the batch of 256 was spread over is not
# recorded. The weight decay is the released code's, whose README calls the paper's 1e-4 a mistake. The reference trains
# in fp16: add --amp to tools/train.py.
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=1e-5))  # for a batch of 256

param_scheduler = [
    dict(type='CosineAnnealingLR', T_max=125, by_epoch=True, begin=0, end=125),
]

train_cfg = dict(by_epoch=True, max_epochs=125, val_interval=1)
val_cfg = dict()
test_cfg = dict()

auto_scale_lr = dict(base_batch_size=256)
