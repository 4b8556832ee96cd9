# ImageNet-1K with the augmentation of Spike-driven Transformer V1: timm's rand-m7-mstd0.5-inc1 and no random erasing;
# mixup and cutmix are in the model's train_cfg. The released settings have m5 for some models and m7 for others, and
# crops of at least 0.08 or 0.2 of the image; here all have m7 and 0.08.
data_preprocessor = dict(
    num_classes=1000,
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    to_rgb=True)

train_pipeline = [
    dict(type='spikemm.LoadImage', on_error='skip'),
    dict(type='RandomResizedCrop', scale=224, crop_ratio_range=(0.08, 1.0), backend='pillow', interpolation='bicubic'),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(
        type='RandAugment',
        policies='timm_increasing',
        num_policies=2,
        total_level=10,
        magnitude_level=7,
        magnitude_std=0.5,
        # images are BGR until they reach the data_preprocessor
        hparams=dict(pad_val=[round(x) for x in data_preprocessor['mean'][::-1]], interpolation='bicubic')),
    dict(type='PackInputs'),
]
test_pipeline = [
    dict(type='spikemm.LoadImage'),
    # 224 pixels are 0.95 of the short side
    dict(type='ResizeEdge', scale=235, edge='short', backend='pillow', interpolation='bicubic'),
    dict(type='CenterCrop', crop_size=224),
    dict(type='PackInputs'),
]

train_dataloader = dict(
    batch_size=48,
    num_workers=10,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type='spikemm.ImageNet', data_root='data/imagenet', split='train', pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=48,
    num_workers=5,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='spikemm.ImageNet', data_root='data/imagenet', split='val', test_mode=True, pipeline=test_pipeline))
val_evaluator = dict(type='Accuracy', topk=(1, 5))
test_dataloader = val_dataloader
test_evaluator = val_evaluator
