# ResNet-18 for small images, a fourth as wide: the ANN beside the spiking nano models.
_base_ = [
    '../_base_/datasets/digit_scenes_cls.py',
    '../_base_/schedules/digit_scenes_bs64_adamw-8e.py',
    '../_base_/default_runtime.py',
]
model = dict(
    type='ImageClassifier',
    backbone=dict(type='ResNet_CIFAR', depth=18, stem_channels=16, base_channels=16, strides=(2, 2, 2, 2)),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes=10, in_channels=128, loss=dict(type='CrossEntropyLoss'), topk=(1, )))
