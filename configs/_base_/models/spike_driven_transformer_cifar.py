# For 32 x 32 pixels: tokens are patches of 4 x 4.
_base_ = './spike_driven_transformer.py'

model = dict(
    backbone=dict(arch=dict(preset='cifar10-2-256')),
    head=dict(num_classes=10, in_channels=256),
    train_cfg=dict(augments=[dict(type='Mixup', alpha=0.5)], probs=[1.0]))
