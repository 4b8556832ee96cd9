# 12 epochs of AdamW on COCO, batch 16 = 8 GPUs x 2 images.
#
# Optimizer, weight decay and warm-up factor are those of the released detection configs of Spike-driven Transformer V2
# and V3; of their learning rates (2e-4 from ImageNet weights, 2.5e-5 to continue) the first. Their Mask R-CNN configs
# are leftovers of several runs, with 5 to 36 epochs and total batches of 5 and 6, and which of them gave the paper's
# numbers is not recorded. So length and steps are mmdet's "1x" and the batch is its 16.
optim_wrapper = dict(
    optimizer=dict(type='AdamW', lr=2e-4, betas=(0.9, 0.999), weight_decay=0.05),
    # No decay of norm layers. The released configs say so by the name 'norm', which none of their layers has.
    paramwise_cfg=dict(norm_decay_mult=0.0))

param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=1000),  # of the released cascade config
    dict(type='MultiStepLR', milestones=[8, 11], gamma=0.1, by_epoch=True, begin=0, end=12),
]

train_cfg = dict(by_epoch=True, max_epochs=12, val_interval=1)
val_cfg = dict()
test_cfg = dict()

auto_scale_lr = dict(base_batch_size=16)
