_base_ = [
    '../_base_/models/mae_spikformer_v2.py',
    '../_base_/datasets/imagenet_bs256_mae.py',
    '../_base_/schedules/imagenet_bs2048_adamw-mae-200e.py',
    '../_base_/default_runtime.py',
]

model = dict(backbone=dict(arch=dict(preset='8-512')), neck=dict(embed_dim=512))
default_hooks = dict(checkpoint=dict(save_best=None))
