# ResNet-152 by procedure A2 of "ResNet strikes back": 300 epochs of LAMB, batch 2048, binary cross-entropy.
_base_ = [
    '../_base_/models/resnet.py',
    '../_base_/datasets/imagenet_bs32_crop.py',
    '../_base_/default_runtime.py',
]
model = dict(
    backbone=dict(depth=152, norm_cfg=dict(type='SyncBN', requires_grad=True), drop_path_rate=0.05),
    head=dict(in_channels=2048, loss=dict(use_sigmoid=True)),
    train_cfg=dict(augments=[dict(type='Mixup', alpha=0.1), dict(type='CutMix', alpha=1.0)]))

bicubic = dict(backend='pillow', interpolation='bicubic')
train_pipeline = [
    dict(type='spikemm.LoadImage', on_error='skip'),
    dict(type='RandomResizedCrop', scale=224, **bicubic),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(
        type='RandAugment',
        policies='timm_increasing',
        num_policies=2,
        total_level=10,
        magnitude_level=7,
        magnitude_std=0.5,
        hparams=dict(pad_val=[104, 116, 124], interpolation='bicubic')),  # the mean colour, BGR
    dict(type='PackInputs'),
]
test_pipeline = [
    dict(type='spikemm.LoadImage'),
    dict(type='ResizeEdge', scale=236, edge='short', **bicubic),  # 224 / 0.95
    dict(type='CenterCrop', crop_size=224),
    dict(type='PackInputs'),
]
train_dataloader = dict(
    batch_size=256, sampler=dict(type='RepeatAugSampler'), dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(batch_size=256, dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader

optim_wrapper = dict(
    optimizer=dict(type='Lamb', lr=5e-3, weight_decay=0.02),
    paramwise_cfg=dict(bias_decay_mult=0.0, norm_decay_mult=0.0))
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-4, by_epoch=True, begin=0, end=5, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', T_max=295, eta_min=1e-6, by_epoch=True, begin=5, end=300),
]
train_cfg = dict(by_epoch=True, max_epochs=300, val_interval=1)
val_cfg = dict()
test_cfg = dict()
auto_scale_lr = dict(base_batch_size=2048)
