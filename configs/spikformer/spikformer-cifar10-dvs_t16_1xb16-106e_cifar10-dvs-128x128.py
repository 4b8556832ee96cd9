_base_ = [
    '../_base_/models/spikformer.py',
    '../_base_/datasets/cifar10_dvs_bs16_spikformer.py',
    '../_base_/schedules/dvs_bs16_adamw_spikformer.py',
    '../_base_/default_runtime.py',
]

model = dict(
    backbone=dict(arch=dict(preset='cifar10-dvs'), in_channels=2),
    head=dict(num_classes=10, in_channels=256))
custom_hooks = [
    *_base_.custom_hooks,
    dict(type='SwitchRecipeHook', schedule=[dict(action_epoch=75, batch_augments=None)]),  # no mixup from then on
]
