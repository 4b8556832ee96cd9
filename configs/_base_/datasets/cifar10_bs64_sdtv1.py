# CIFAR-10, 1 GPU x 64 images, with the augmentation of Spike-driven Transformer V1: flips and RandAugment. Its crops
# are the whole image. Mixup is in the model's train_cfg.
_base_ = './cifar10.py'

train_pipeline = [
    dict(type='RandomResizedCrop', scale=32, crop_ratio_range=(1.0, 1.0), aspect_ratio_range=(1.0, 1.0)),
    *(step for step in _base_.train_pipeline if step['type'] != 'RandomCrop'),
]
train_dataloader = dict(batch_size=64, dataset=dict(pipeline=train_pipeline))
