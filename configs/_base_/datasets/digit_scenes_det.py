# DigitScenes, the built-in data: 8,000 + 500 scenes of 128 x 128 pixels, COCO style. This makes it in a minute, without
# download: python tools/dataset_converters/digit_scenes.py detection
dataset = dict(
    type='spikemm.CocoDataset',
    data_root='data/digit_scenes/detection',
    metainfo=dict(classes=list('0123456789')),
    hint='Make it with: python tools/dataset_converters/digit_scenes.py detection')
# A leaf hands it on: model = dict(data_preprocessor=_base_.data_preprocessor).
data_preprocessor = dict(
    type='DetDataPreprocessor',
    mean=[122.4, 127.5, 117.1],  # of the training images, RGB
    std=[74.8, 55.9, 64.6],
    bgr_to_rgb=True,
    pad_mask=True,
    pad_size_divisor=32)

# No flip: it would make other signs of digits.
train_pipeline = [
    dict(type='spikemm.LoadImage', on_error='skip'),
    dict(type='LoadAnnotations', with_bbox=True, with_mask=True),  # run-length masks need poly2mask=True, the default
    dict(type='PackDetInputs'),
]
test_pipeline = [
    dict(type='spikemm.LoadImage'),
    dict(type='Resize', scale=(128, 128), keep_ratio=True),  # changes nothing here; gives the scale_factor
    dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
    dict(type='PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')),
]

train_dataloader = dict(
    batch_size=8,
    num_workers=1,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        ann_file='annotations/instances_train.json',
        data_prefix=dict(img='train'),
        filter_cfg=dict(filter_empty_gt=False),  # scenes without a digit teach, too
        pipeline=train_pipeline,
        **dataset))
val_dataloader = dict(
    batch_size=8,
    num_workers=1,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        ann_file='annotations/instances_val.json',
        data_prefix=dict(img='val'),
        test_mode=True,
        pipeline=test_pipeline,
        **dataset))
val_evaluator = dict(
    type='CocoMetric',
    ann_file='data/digit_scenes/detection/annotations/instances_val.json',
    metric=['bbox', 'segm'])
test_dataloader = val_dataloader
test_evaluator = val_evaluator
