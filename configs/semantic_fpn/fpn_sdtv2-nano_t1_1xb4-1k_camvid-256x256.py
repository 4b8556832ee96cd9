_base_ = [
    '../_base_/models/semantic-fpn_sdtv2_spike-fpn.py',
    '../_base_/datasets/camvid_256x256.py',
    '../_base_/schedules/camvid_bs4_adamw-1k.py',
    '../_base_/default_runtime_seg.py',
]

# From scratch in minutes: a wide surrogate, currents that are not halved, residual branches that start small, and norms
# in the neck.
neuron = dict(type='LIF', tau=2.0, decay_input=False, surrogate=dict(type='ATan', alpha=2.0))
norm = dict(type='BN')
channels = 48
model = dict(
    data_preprocessor=dict(seg_pad_val=11, size=(256, 256)),
    backbone=dict(
        arch=dict(preset='nano'), out_indices=(0, 1, 2, 3), residual_init=0.2, neuron=neuron, init_cfg=None),
    neck=dict(in_channels=[16, 32, 64, 96], out_channels=channels, norm_cfg=norm, neuron=neuron),
    decode_head=dict(
        in_channels=[channels] * 4,
        feature_strides=[2, 4, 8, 8],
        channels=channels,
        num_classes=11,
        ignore_index=11,
        norm_cfg=norm,
        neuron=neuron))
default_hooks = dict(checkpoint=dict(interval=1000))
randomness = dict(seed=0)
