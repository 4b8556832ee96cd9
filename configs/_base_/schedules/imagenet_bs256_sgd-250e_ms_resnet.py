# Att-MS-ResNet: as MS-ResNet, for 250 epochs.
_base_ = './imagenet_bs256_sgd-125e_ms_resnet.py'

param_scheduler = [
    dict(type='CosineAnnealingLR', T_max=250, by_epoch=True, begin=0, end=250),
]
train_cfg = dict(max_epochs=250)
