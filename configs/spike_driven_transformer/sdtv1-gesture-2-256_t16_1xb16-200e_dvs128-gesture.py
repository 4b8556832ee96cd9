_base_ = [
    '../_base_/models/spike_driven_transformer_events.py',
    '../_base_/datasets/dvs128_gesture.py',
    '../_base_/schedules/dvs_bs16_lamb-200e.py',
    '../_base_/default_runtime.py',
]

model = dict(backbone=dict(arch=dict(preset='gesture-2-256')), head=dict(num_classes=11))
