_base_ = [
    '../_base_/models/spikformer.py',
    '../_base_/datasets/cifar10_bs128_spikformer.py',
    '../_base_/schedules/cifar_bs128_adamw_spikformer.py',
    '../_base_/default_runtime.py',
]

model = dict(backbone=dict(arch=dict(preset='cifar10-4-384')), head=dict(num_classes=10, in_channels=384))
custom_hooks = [
    *_base_.custom_hooks,
    dict(type='SwitchRecipeHook', schedule=[dict(action_epoch=200, batch_augments=None)]),  # no mixup from then on
]
