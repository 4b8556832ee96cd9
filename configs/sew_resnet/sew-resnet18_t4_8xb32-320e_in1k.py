_base_ = [
    '../_base_/models/sew_resnet.py',
    '../_base_/datasets/imagenet_bs32_crop.py',
    '../_base_/schedules/imagenet_bs256_sgd-320e.py',
    '../_base_/default_runtime.py',
]
