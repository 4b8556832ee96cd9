# CIFAR10-DVS as Spikformer's code has it: 16 time steps with the same number of events each, all 128 x 128 pixels, a
# flip and one more operation for each clip, and mixup of every other batch: 1 GPU x 16 recordings.
_base_ = './cifar10_dvs.py'

data_preprocessor = dict(batch_augments=dict(augments=[dict(type='Mixup', alpha=0.5)], probs=[0.5]))

train_pipeline = [
    dict(type='spikemm.LoadEvents', on_error='skip'),
    dict(type='spikemm.EventFrames', T=16, split='number', size=(128, 128)),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='spikemm.SNNAugmentWide'),
    dict(type='PackInputs'),
]
test_pipeline = [
    dict(type='spikemm.LoadEvents'),
    dict(type='spikemm.EventFrames', T=16, split='number', size=(128, 128)),
    dict(type='PackInputs'),
]

train_dataloader = dict(batch_size=16, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(batch_size=16, dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
