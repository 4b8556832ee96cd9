_base_ = [
    '../_base_/models/upernet_sdtv2.py',
    '../_base_/datasets/ade20k_512x512.py',
    '../_base_/schedules/seg_bs16_adamw-160k.py',
    '../_base_/default_runtime_seg.py',
]

# UPerNet is not in the paper. This is mmseg's recipe of UPerNet with a Swin transformer.
optim_wrapper = dict(
    optimizer=dict(lr=6e-5, weight_decay=0.01), paramwise_cfg=dict(_delete_=True, norm_decay_mult=0.0))
