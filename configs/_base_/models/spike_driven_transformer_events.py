# For frames of events with two polarities.
_base_ = './spike_driven_transformer.py'

model = dict(
    backbone=dict(arch=dict(preset='cifar10-dvs-2-256'), in_channels=2),
    head=dict(num_classes=10, in_channels=256, loss=dict(_delete_=True, type='CrossEntropyLoss')),
    train_cfg=None)
