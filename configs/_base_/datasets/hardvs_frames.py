# HAR-DVS as event images of 346 x 260 pixels, 8 consecutive frames a clip: 3 GPUs x 24 clips, as Meta-SpikeFormer was
# trained. Differs from the released loader: frames are in order of their numbers, a clip is flipped as a whole, not
# each frame by itself, and the test takes the middle of a recording, not a random part.
T = 8
dataset = dict(type='spikemm.HARDVS', data_root='data/hardvs', form='frames')
data_preprocessor = dict(type='spikemm.EventDataPreprocessor', num_classes=300, channels=2)

# The flip makes left of right, though some actions have a class for each side; the released training flips, too.
train_pipeline = [
    dict(type='spikemm.SampleClip', T=T, start='random', on_error='skip'),
    dict(type='spikemm.LoadFrames', on_error='skip'),
    dict(type='ResizeEdge', scale=256, edge='short', interpolation='bicubic'),  # by OpenCV: Pillow takes 4 channels
    dict(type='CenterCrop', crop_size=224),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='spikemm.GreyToPolarity'),
    dict(type='PackInputs'),
]
test_pipeline = [
    dict(type='spikemm.SampleClip', T=T, start=0.5),
    dict(type='spikemm.LoadFrames'),
    dict(type='ResizeEdge', scale=256, edge='short', interpolation='bicubic'),
    dict(type='CenterCrop', crop_size=224),
    dict(type='spikemm.GreyToPolarity'),
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

# tools/test.py --tta: the mean of the scores of five clips from the start to the end of a recording.
tta_model = dict(type='AverageClsScoreTTA')
tta_pipeline = [
    dict(
        type='TestTimeAug',
        transforms=[
            [dict(type='spikemm.SampleClip', T=T, start=start) for start in (0.0, 0.25, 0.5, 0.75, 1.0)],
            *[[step] for step in test_pipeline[1:]],
        ]),
]
