# N-Caltech101, 240 x 180 pixels, every 2 x 2 summed; 10 time steps: 1 GPU x 32 recordings. There is no official split:
# seed and share of spikemm.NCaltech101 make it.
dataset = dict(type='spikemm.NCaltech101', data_root='data/ncaltech101/Caltech101', train_share=0.9, seed=0)
data_preprocessor = dict(
    type='spikemm.EventDataPreprocessor',
    num_classes=101,
    channels=2,
    pad_size_divisor=32)  # 120 x 90 become 128 x 96; mmcv's Pad takes 4 channels at most

train_pipeline = [
    dict(type='spikemm.LoadEvents', on_error='skip'),
    dict(type='spikemm.EventFrames', T=10, split='number', size=(90, 120)),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='PackInputs'),
]
test_pipeline = [
    dict(type='spikemm.LoadEvents'),
    dict(type='spikemm.EventFrames', T=10, split='number', size=(90, 120)),
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
