_base_ = [
    '../_base_/models/meta_spikeformer.py',
    '../_base_/datasets/cifar10.py',
    '../_base_/schedules/cifar_bs128_adamw.py',
    '../_base_/default_runtime.py',
]

model = dict(
    backbone=dict(
        arch=dict(preset='tiny', strides=(1, 2, 2, 1, 1)),  # 32 px: stages of 32, 16, 8, 8, 8
        T=4),
    head=dict(num_classes=10, in_channels=240))
