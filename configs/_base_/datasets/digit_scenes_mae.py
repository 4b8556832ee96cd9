# The training images of DigitScenes, without labels. This makes them in seconds, without download:
# python tools/dataset_converters/digit_scenes.py classification
data_preprocessor = dict(
    type='SelfSupDataPreprocessor',
    mean=[122.2, 128.0, 117.7],  # of the training images, RGB
    std=[89.5, 71.1, 79.0],
    to_rgb=True)

train_pipeline = [
    dict(type='spikemm.LoadImage', on_error='skip'),
    dict(type='RandomCrop', crop_size=32, padding=3, padding_mode='edge'),
    dict(type='PackInputs'),
]
train_dataloader = dict(
    batch_size=128,
    num_workers=1,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='spikemm.ImageFolder',
        data_root='data/digit_scenes/classification',
        data_prefix='train',
        classes=list('0123456789'),
        pipeline=train_pipeline,
        hint='Make it with: python tools/dataset_converters/digit_scenes.py classification'))
