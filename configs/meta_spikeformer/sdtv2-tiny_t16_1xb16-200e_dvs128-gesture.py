_base_ = [
    '../_base_/models/meta_spikeformer.py',
    '../_base_/datasets/dvs128_gesture.py',
    '../_base_/schedules/dvs_bs16_lamb-200e.py',
    '../_base_/default_runtime.py',
]

model = dict(
    backbone=dict(arch=dict(preset='tiny'), in_channels=2),
    head=dict(num_classes=11, in_channels=240))
