_base_ = [
    '../_base_/models/ms_resnet.py',
    '../_base_/datasets/imagenet_bs32_ms_resnet.py',
    '../_base_/schedules/imagenet_bs256_sgd-125e_ms_resnet.py',
    '../_base_/default_runtime.py',
]

model = dict(backbone=dict(T=4))
