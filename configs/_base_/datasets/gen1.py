# GEN1, Prophesee's automotive detection data, in data/gen1: train/, val/ and test/, each with NAME_td.dat and
# NAME_bbox.npy side by side.
#
# A sample is the last 100 ms before a labelled time, in 5 time steps, as in "Object Detection with Spiking Neural
# Networks on Automotive Event Data" (https://arxiv.org/abs/2205.04339).
dataset = dict(
    type='spikemm.EventDetDataset',
    data_root='data/gen1',
    window_us=100_000,
    sensor_size=(240, 304),
    # Of the data's own evaluation, https://github.com/prophesee-ai/prophesee-automotive-dataset-toolbox, for a sensor
    # of this size; used in training as well.
    min_side=10,
    min_diagonal=30,
    skip_us=500_000)

train_pipeline = [
    dict(type='spikemm.LoadEvents', on_error='skip'),
    dict(type='spikemm.EventFrames', T=5, split='time'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='RandomFlip', prob=0.5),  # all time steps and the boxes together
    dict(type='PackDetInputs'),
]
test_pipeline = [
    dict(type='spikemm.LoadEvents'),
    dict(type='spikemm.EventFrames', T=5, split='time'),
    dict(type='Resize', scale=(304, 240), keep_ratio=True),  # changes nothing here; gives the scale_factor
    dict(type='LoadAnnotations', with_bbox=True),
    # "instances" are what CocoMetric compares with: there is no COCO file
    dict(
        type='PackDetInputs',
        meta_keys=('sample_idx', 'img_id', 'ori_shape', 'img_shape', 'scale_factor', 'instances')),
]

train_dataloader = dict(
    batch_size=8,
    num_workers=4,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(data_prefix=dict(events='train'), pipeline=train_pipeline, **dataset))
val_dataloader = dict(
    batch_size=8,
    num_workers=4,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(data_prefix=dict(events='val'), test_mode=True, pipeline=test_pipeline, **dataset))
val_evaluator = dict(type='CocoMetric', metric='bbox')
test_dataloader = dict(
    batch_size=8,
    num_workers=4,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(data_prefix=dict(events='test'), test_mode=True, pipeline=test_pipeline, **dataset))
test_evaluator = val_evaluator
