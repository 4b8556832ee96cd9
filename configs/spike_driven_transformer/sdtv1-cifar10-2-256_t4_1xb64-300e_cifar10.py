_base_ = [
    '../_base_/models/spike_driven_transformer_cifar.py',
    '../_base_/datasets/cifar10_bs64_sdtv1.py',
    '../_base_/schedules/cifar_bs64_adamw_sdtv1.py',
    '../_base_/default_runtime.py',
]

custom_hooks = [
    *_base_.custom_hooks,
    dict(type='SwitchRecipeHook', schedule=[dict(action_epoch=201, batch_augments=None)]),  # no mixup any more
]
