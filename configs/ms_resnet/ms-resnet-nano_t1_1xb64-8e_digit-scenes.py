_base_ = [
    '../_base_/models/ms_resnet_nano.py',
    '../_base_/datasets/digit_scenes_cls.py',
    '../_base_/schedules/digit_scenes_bs64_adamw-8e.py',
    '../_base_/default_runtime.py',
]
