# N-MNIST, 34 x 34 pixels, 10 time steps: 1 GPU x 64 recordings. Cropped to 32 x 32: digits have 28, and resizing by so
# little would give some columns the events of two.
dataset = dict(type='spikemm.NMNIST', data_root='data/nmnist')
data_preprocessor = dict(type='spikemm.EventDataPreprocessor', num_classes=10, channels=2)

# No flip: it would make other signs of digits.
train_pipeline = [
    dict(type='spikemm.LoadEvents', on_error='skip'),
    dict(type='spikemm.EventFrames', T=10, split='number'),
    dict(type='RandomCrop', crop_size=32),
    dict(type='PackInputs'),
]
test_pipeline = [
    dict(type='spikemm.LoadEvents'),
    dict(type='spikemm.EventFrames', T=10, split='number'),
    dict(type='CenterCrop', crop_size=32),
    dict(type='PackInputs'),
]

train_dataloader = dict(
    batch_size=64,
    num_workers=4,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(split='train', pipeline=train_pipeline, **dataset))
val_dataloader = dict(
    batch_size=200,
    num_workers=4,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(split='test', test_mode=True, pipeline=test_pipeline, **dataset))
val_evaluator = dict(type='Accuracy', topk=(1, ))
test_dataloader = val_dataloader
test_evaluator = val_evaluator
