_base_ = [
    '../_base_/models/semantic-fpn_sdtv2_spike-fpn.py',
    '../_base_/datasets/digit_scenes_seg.py',
    '../_base_/schedules/digit_scenes_bs20_adamw-2k.py',
    '../_base_/default_runtime_seg.py',
]

# From scratch in minutes: a wide surrogate, currents that are not halved, residual branches that start small, norms in
# the neck, digits that weigh more than the background, which is nine tenths of the pixels, and a loss on the deepest
# level, too.
neuron = dict(type='LIF', tau=2.0, decay_input=False, surrogate=dict(type='ATan', alpha=2.0))
norm = dict(type='BN')
channels = 48
loss = dict(type='CrossEntropyLoss', class_weight=[0.2] + [1.0] * 10)
model = dict(
    data_preprocessor=_base_.data_preprocessor,
    backbone=dict(
        arch=dict(preset='nano', depths=(1, 1, 1, 1), blocks=('conv', 'conv', 'conv', 'transformer')),
        out_indices=(0, 1, 3),
        residual_init=0.2,
        neuron=neuron,
        init_cfg=None),
    neck=dict(in_channels=[16, 32, 96], out_channels=channels, num_outs=3, norm_cfg=norm, neuron=neuron),
    decode_head=dict(
        in_channels=[channels] * 3,
        in_index=[0, 1, 2],
        feature_strides=[2, 4, 8],
        channels=channels,
        num_classes=11,
        norm_cfg=norm,
        neuron=neuron,
        loss_decode=loss),
    auxiliary_head=dict(
        type='spikemm.SpikeFPNHead',
        in_channels=[channels],
        in_index=[2],
        feature_strides=[8],
        channels=channels,
        num_classes=11,
        norm_cfg=norm,
        neuron=neuron,
        loss_decode=dict(loss_weight=0.4, **loss)))
default_hooks = dict(checkpoint=dict(interval=1000))
randomness = dict(seed=0)
