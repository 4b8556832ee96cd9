# VGG-16 without norms, with its classifier of three linear layers in the backbone.
_base_ = [
    '../_base_/datasets/imagenet_bs32_crop.py',
    '../_base_/schedules/imagenet_bs256_sgd-100e.py',
    '../_base_/default_runtime.py',
]
model = dict(
    type='ImageClassifier',
    backbone=dict(type='VGG', depth=16, num_classes=1000),
    head=dict(type='ClsHead', loss=dict(type='CrossEntropyLoss'), topk=(1, 5)))
optim_wrapper = dict(optimizer=dict(lr=0.01))
