_base_ = [
    '../_base_/models/att_ms_resnet.py',
    '../_base_/datasets/imagenet_bs32_ms_resnet.py',
    '../_base_/schedules/imagenet_bs256_sgd-250e_ms_resnet.py',
    '../_base_/default_runtime.py',
]
