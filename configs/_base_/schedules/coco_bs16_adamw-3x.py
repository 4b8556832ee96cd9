# 36 epochs of AdamW on COCO, batch 16 = 8 GPUs x 2 images: steps and warm-up of the released cascade config.
_base_ = './coco_bs16_adamw-1x.py'

param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=1000),
    dict(type='MultiStepLR', milestones=[27, 33], gamma=0.1, by_epoch=True, begin=0, end=36),
]
train_cfg = dict(max_epochs=36)
