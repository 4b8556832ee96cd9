# CIFAR-10 with the augmentation of Spikformer (cifar10.yml of its code): no crop, timm's rand-m9-n1-mstd0.4-inc1 (its
# operations; the code has a list of its own), random erasing by the mean colour, and mixup. Label smoothing is in the
# head.
_base_ = './cifar10.py'

data_preprocessor = dict(
    std=[62.985, 62.0925, 66.708],
    batch_augments=dict(augments=[dict(type='Mixup', alpha=0.5)]))

train_pipeline = [
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(
        type='RandAugment',
        policies='timm_increasing',
        num_policies=1,
        total_level=10,
        magnitude_level=9,
        magnitude_std=0.4,
        hparams=dict(pad_val=[round(x) for x in _base_.data_preprocessor.mean], interpolation='bicubic')),
    dict(
        type='RandomErasing',
        erase_prob=0.25,
        mode='const',
        min_area_ratio=0.02,
        max_area_ratio=1 / 3,
        fill_color=_base_.data_preprocessor.mean),
    dict(type='PackInputs'),
]

test_pipeline = [
    dict(type='CenterCrop', crop_size=32),  # all of it: names the size for tools that count operations
    dict(type='PackInputs'),
]

train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
