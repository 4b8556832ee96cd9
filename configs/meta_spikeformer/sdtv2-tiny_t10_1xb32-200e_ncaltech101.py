_base_ = [
    '../_base_/models/meta_spikeformer.py',
    '../_base_/datasets/ncaltech101.py',
    '../_base_/schedules/dvs_bs32_adamw-200e.py',
    '../_base_/default_runtime.py',
]

model = dict(
    backbone=dict(arch=dict(preset='tiny'), in_channels=2),
    head=dict(num_classes=101, in_channels=240))
