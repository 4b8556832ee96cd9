# CIFAR10-DVS, 128 x 128 pixels, every 2 x 2 summed; 10 time steps with the same number of events each: 1 GPU x 32
# recordings. The first 90 % of each class train, see spikemm.CIFAR10DVS.
dataset = dict(type='spikemm.CIFAR10DVS', data_root='data/cifar10_dvs')
data_preprocessor = dict(type='spikemm.EventDataPreprocessor', num_classes=10, channels=2)

train_pipeline = [
    dict(type='spikemm.LoadEvents', on_error='skip'),
    dict(type='spikemm.EventFrames', T=10, split='number', size=(64, 64)),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='PackInputs'),
]
test_pipeline = [
    dict(type='spikemm.LoadEvents'),
    dict(type='spikemm.EventFrames', T=10, split='number', size=(64, 64)),
    dict(type='PackInputs'),
]

train_dataloader = dict(
    batch_size=32,
    num_workers=4,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(split='train', pipeline=train_pipeline, **dataset))
val_dataloader = dict(
    batch_size=32,
    num_workers=4,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(split='test', test_mode=True, pipeline=test_pipeline, **dataset))
val_evaluator = dict(type='Accuracy', topk=(1, 5))
test_dataloader = val_dataloader
test_evaluator = val_evaluator
