# DVS128 Gesture, 128 x 128 pixels, 16 time steps with the same number of events each: 1 GPU x 16 recordings.
dataset = dict(type='spikemm.DVS128Gesture', data_root='data/dvs128_gesture/DvsGesture')
data_preprocessor = dict(type='spikemm.EventDataPreprocessor', num_classes=11, channels=2)

# No flip: it would make the right hand's gestures of the left hand's, which are other classes.
train_pipeline = [
    dict(type='spikemm.LoadEvents', on_error='skip'),
    dict(type='spikemm.EventFrames', T=16, split='number'),
    dict(type='PackInputs'),
]
test_pipeline = [
    dict(type='spikemm.LoadEvents'),
    dict(type='spikemm.EventFrames', T=16, split='number'),
    dict(type='PackInputs'),
]

train_dataloader = dict(
    batch_size=16,
    num_workers=4,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(split='train', pipeline=train_pipeline, **dataset))
val_dataloader = dict(
    batch_size=16,
    num_workers=4,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(split='test', test_mode=True, pipeline=test_pipeline, **dataset))
val_evaluator = dict(type='Accuracy', topk=(1, 5))
test_dataloader = val_dataloader
test_evaluator = val_evaluator
