# PASCAL VOC 2012 in data/VOCdevkit/VOC2012: the 1,464 images of its segmentation training set.
train_pipeline = [
    dict(type='spikemm.LoadImage', on_error='skip'),
    dict(type='spikemm.LoadSegMap', on_error='skip'),
    dict(type='RandomResize', scale=(2048, 512), ratio_range=(0.5, 2.0), keep_ratio=True),
    dict(type='RandomCrop', crop_size=(512, 512), cat_max_ratio=0.75),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PhotoMetricDistortion'),
    dict(type='PackSegInputs'),
]
test_pipeline = [
    dict(type='spikemm.LoadImage'),
    dict(type='Resize', scale=(2048, 512), keep_ratio=True),
    dict(type='spikemm.LoadSegMap'),  # behind Resize: the truth keeps its size
    dict(type='PackSegInputs'),
]
dataset = dict(
    type='spikemm.PascalVOCDataset',
    data_root='data/VOCdevkit/VOC2012',
    data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'))

train_dataloader = dict(
    batch_size=2,
    num_workers=4,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(ann_file='ImageSets/Segmentation/train.txt', pipeline=train_pipeline, **dataset))
val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(ann_file='ImageSets/Segmentation/val.txt', test_mode=True, pipeline=test_pipeline, **dataset))
val_evaluator = dict(type='IoUMetric', iou_metrics=['mIoU'])
test_dataloader = val_dataloader
test_evaluator = val_evaluator
