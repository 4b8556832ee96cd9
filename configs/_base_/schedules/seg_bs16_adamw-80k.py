# 80,000 iterations of AdamW for Semantic FPN on VOC 2012, batch 16 = 8 GPUs x 2 images. All numbers but the batch are
# of the released configs, which have 5 images a GPU and do not record the number of GPUs.
_base_ = './seg_bs16_adamw-160k.py'

param_scheduler = [
    dict(type='LinearLR', start_factor=1e-6, by_epoch=False, begin=0, end=1500),
    dict(type='PolyLR', power=1.0, eta_min=0.0, by_epoch=False, begin=1500, end=80000),
]
train_cfg = dict(max_iters=80000, val_interval=8000)
