# HAR-DVS as events of a DAVIS346, counted in 8 time steps: 3 GPUs x 24 recordings. The crop is of the sensor's own
# pixels: 224 of its 260 rows are about what the crop of the event images shows, 224 of 256, and frames that are
# resized by so little would have columns with the events of two.
dataset = dict(type='spikemm.HARDVS', data_root='data/hardvs_events', form='events')
data_preprocessor = dict(type='spikemm.EventDataPreprocessor', num_classes=300, channels=2)

train_pipeline = [
    dict(type='spikemm.LoadEvents', on_error='skip'),
    dict(type='spikemm.EventFrames', T=8, split='time'),
    dict(type='CenterCrop', crop_size=224),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='PackInputs'),
]
test_pipeline = [
    dict(type='spikemm.LoadEvents'),
    dict(type='spikemm.EventFrames', T=8, split='time'),
    dict(type='CenterCrop', crop_size=224),
    dict(type='PackInputs'),
]

train_dataloader = dict(
    batch_size=24,
    num_workers=8,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(split='train', pipeline=train_pipeline, **dataset))
val_dataloader = dict(
    batch_size=24,
    num_workers=4,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(split='val', test_mode=True, pipeline=test_pipeline, **dataset))
val_evaluator = dict(type='Accuracy', topk=(1, 5))
test_dataloader = dict(
    batch_size=24,
    num_workers=4,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(split='test', test_mode=True, pipeline=test_pipeline, **dataset))
test_evaluator = val_evaluator
