# DigitScenes, the built-in data, as an event camera sees it: 10,000 + 2,000 recordings of 0.3 s on 32 x 32 pixels. This
# makes it in a minute, without download: python tools/dataset_converters/digit_scenes.py events
dataset = dict(
    type='spikemm.EventFolder',
    data_root='data/digit_scenes/events',
    classes=list('0123456789'),
    sensor_size=(32, 32),
    hint='Make it with: python tools/dataset_converters/digit_scenes.py events')
data_preprocessor = dict(type='spikemm.EventDataPreprocessor', num_classes=10)

# No flip: it would make other signs of digits.
train_pipeline = [
    dict(type='spikemm.LoadEvents', on_error='skip'),
    dict(type='spikemm.EventFrames', T=4, split='time'),
    dict(type='RandomCrop', crop_size=32, padding=3),
    dict(type='PackInputs'),
]
test_pipeline = [
    dict(type='spikemm.LoadEvents'),
    dict(type='spikemm.EventFrames', T=4, split='time'),
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
