_base_ = [
    '../_base_/models/meta_spikeformer_kd.py',
    '../_base_/datasets/imagenet_bs128_sdtv2.py',
    '../_base_/schedules/imagenet_bs1024_lamb_sdtv2.py',
    '../_base_/default_runtime.py',
]

model = dict(backbone=dict(arch=dict(preset='55m')), head=dict(in_channels=640))
