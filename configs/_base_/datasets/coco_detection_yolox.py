# COCO 2017 with the augmentation of YOLOX: mosaics of four images, a second image mixed in, colours; 640 x 640 pixels.
size = (640, 640)  # width, height
grey = dict(img=(114.0, 114.0, 114.0))

train_pipeline = [
    dict(type='Mosaic', img_scale=size, pad_val=114.0),
    dict(type='RandomAffine', scaling_ratio_range=(0.1, 2), border=(-size[0] // 2, -size[1] // 2)),
    dict(type='MixUp', img_scale=size, ratio_range=(0.8, 1.6), pad_val=114.0),
    dict(type='YOLOXHSVRandomAug'),
    dict(type='RandomFlip', prob=0.5),
    # For the last 15 epochs, when YOLOXModeSwitchHook takes the mixing of images away.
    dict(type='Resize', scale=size, keep_ratio=True),
    dict(type='Pad', pad_to_square=True, pad_val=grey),
    dict(type='FilterAnnotations', min_gt_bbox_wh=(1, 1), keep_empty=False),
    dict(type='PackDetInputs'),
]
test_pipeline = [
    dict(type='spikemm.LoadImage'),
    dict(type='Resize', scale=size, keep_ratio=True),
    dict(type='Pad', pad_to_square=True, pad_val=grey),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')),
]

train_dataloader = dict(
    batch_size=8,
    num_workers=4,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='MultiImageMixDataset',
        dataset=dict(
            type='spikemm.CocoDataset',
            data_root='data/coco',
            ann_file='annotations/instances_train2017.json',
            data_prefix=dict(img='train2017'),
            filter_cfg=dict(filter_empty_gt=False, min_size=32),
            pipeline=[
                dict(type='spikemm.LoadImage', on_error='skip'),
                dict(type='LoadAnnotations', with_bbox=True),
            ]),
        pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=8,
    num_workers=4,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='spikemm.CocoDataset',
        data_root='data/coco',
        ann_file='annotations/instances_val2017.json',
        data_prefix=dict(img='val2017'),
        test_mode=True,
        pipeline=test_pipeline))
val_evaluator = dict(type='CocoMetric', ann_file='data/coco/annotations/instances_val2017.json', metric='bbox')
test_dataloader = val_dataloader
test_evaluator = val_evaluator

# Test-time augmentation flips before the padding, or boxes could not be flipped back.
tta_model = dict(
    type='DetTTAModel', tta_cfg=dict(nms=dict(type='nms', iou_threshold=0.65), max_per_img=100))
tta_pipeline = [
    dict(type='spikemm.LoadImage'),
    dict(
        type='TestTimeAug',
        transforms=[
            [dict(type='Resize', scale=scale, keep_ratio=True) for scale in [(640, 640), (320, 320), (960, 960)]],
            [dict(type='RandomFlip', prob=1.0), dict(type='RandomFlip', prob=0.0)],
            [dict(type='Pad', pad_to_square=True, pad_val=grey)],
            [dict(type='LoadAnnotations', with_bbox=True)],
            [
                dict(
                    type='PackDetInputs',
                    meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor', 'flip',
                               'flip_direction')),
            ],
        ]),
]
