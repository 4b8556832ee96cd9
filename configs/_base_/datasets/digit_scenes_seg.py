# DigitScenes, the built-in data: 12,000 + 500 scenes of 64 x 64 pixels, ADE20K style. This makes it in a minute,
# without download: python tools/dataset_converters/digit_scenes.py segmentation
dataset = dict(
    type='spikemm.SegDataset',
    data_root='data/digit_scenes/segmentation',
    metainfo=dict(
        classes=['background', *'0123456789'],
        palette=[
            [128, 128, 128], [230, 25, 75], [245, 130, 48], [255, 225, 25], [191, 239, 69], [60, 180, 75],
            [66, 212, 244], [67, 99, 216], [145, 30, 180], [240, 50, 230], [154, 99, 36]]),
    reduce_zero_label=True,  # in the files, 0 is the border of a digit, to be ignored
    hint='Make it with: python tools/dataset_converters/digit_scenes.py segmentation')
# A leaf hands it on: model = dict(data_preprocessor=_base_.data_preprocessor).
data_preprocessor = dict(
    type='SegDataPreProcessor',
    mean=[125.3, 130.4, 120.3],  # of the training images, RGB
    std=[82.8, 66.4, 74.2],
    bgr_to_rgb=True,
    pad_val=0,
    seg_pad_val=255,
    size=(64, 64),
    test_cfg=dict(size_divisor=32))

# No flip: it would make other signs of digits.
train_pipeline = [
    dict(type='spikemm.LoadImage', on_error='skip'),
    dict(type='spikemm.LoadSegMap', on_error='skip'),
    dict(type='PackSegInputs'),
]
test_pipeline = [
    dict(type='spikemm.LoadImage'),
    dict(type='spikemm.LoadSegMap'),
    dict(type='PackSegInputs'),
]

train_dataloader = dict(
    batch_size=20,
    num_workers=1,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        data_prefix=dict(img_path='images/training', seg_map_path='annotations/training'),
        pipeline=train_pipeline,
        **dataset))
val_dataloader = dict(
    batch_size=50,
    num_workers=1,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        data_prefix=dict(img_path='images/validation', seg_map_path='annotations/validation'),
        test_mode=True,
        pipeline=test_pipeline,
        **dataset))
val_evaluator = dict(type='IoUMetric', iou_metrics=['mIoU'])
test_dataloader = val_dataloader
test_evaluator = val_evaluator
