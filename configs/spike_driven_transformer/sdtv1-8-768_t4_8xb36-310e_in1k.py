_base_ = [
    '../_base_/models/spike_driven_transformer.py',
    '../_base_/datasets/imagenet_bs48_sdtv1.py',
    '../_base_/schedules/imagenet_bs288_lamb_sdtv1.py',
    '../_base_/default_runtime.py',
]

model = dict(
    backbone=dict(arch=dict(preset='8-768')),
    head=dict(in_channels=768),
    train_cfg=dict(probs=[0.5, 0.5]))
train_dataloader = dict(batch_size=36)
