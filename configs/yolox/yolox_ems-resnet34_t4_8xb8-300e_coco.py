_base_ = [
    '../_base_/models/yolox_ems-resnet_ems-neck.py',
    '../_base_/datasets/coco_detection_yolox.py',
    '../_base_/schedules/coco_bs64_sgd-300e.py',
    '../_base_/default_runtime_det.py',
]

default_hooks = dict(checkpoint=dict(interval=10))
custom_hooks = [
    dict(type='YOLOXModeSwitchHook', num_last_epochs=15, priority=48),
    dict(type='SyncNormHook', priority=48),
    dict(type='EMAHook', ema_type='ExpMomentumEMA', momentum=0.0001, update_buffers=True, priority=49),
    *_base_.custom_hooks,
]
