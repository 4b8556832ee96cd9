# DigitScenes, the built-in data: 24,000 + 2,000 images of 32 x 32 pixels. This makes it in seconds, without download:
# python tools/dataset_converters/digit_scenes.py classification
dataset = dict(
    type='spikemm.ImageFolder',
    data_root='data/digit_scenes/classification',
    classes=list('0123456789'),
    hint='Make it with: python tools/dataset_converters/digit_scenes.py classification')
data_preprocessor = dict(
    num_classes=10,
    mean=[122.2, 128.0, 117.7],  # of the training images, RGB
    std=[89.5, 71.1, 79.0],
    to_rgb=True)

# No flip: it would make other signs of digits.
train_pipeline = [
    dict(type='spikemm.LoadImage', on_error='skip'),
    dict(type='RandomCrop', crop_size=32, padding=3, padding_mode='edge'),
    dict(type='PackInputs'),
]
test_pipeline = [
    dict(type='spikemm.LoadImage'),
    dict(type='PackInputs'),
]

train_dataloader = dict(
    batch_size=64,
    num_workers=1,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(data_prefix='train', pipeline=train_pipeline, **dataset))
val_dataloader = dict(
    batch_size=200,
    num_workers=1,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(data_prefix='val', test_mode=True, pipeline=test_pipeline, **dataset))
val_evaluator = dict(type='Accuracy', topk=(1, ))
test_dataloader = val_dataloader
test_evaluator = val_evaluator
