_base_ = [
    '../_base_/models/spikformer.py',
    '../_base_/datasets/imagenet_bs24_spikformer.py',
    '../_base_/schedules/imagenet_bs192_adamw_spikformer.py',
    '../_base_/default_runtime.py',
]

model = dict(backbone=dict(arch=dict(preset='6-512')))
