# Semantic FPN with EMS-ResNet-34, spiking neck and head, which take one time step, the mean potential of the
# backbone's; all neurons are those of the backbone.
_base_ = './semantic-fpn_sdtv2_spike-fpn.py'

fire = dict(
    type='LIF', tau=4 / 3, v_threshold=0.5 + 2**-24, decay_input=False, surrogate=dict(type='Rect', alpha=1.0))
neuron = dict(_delete_=True, **fire)

model = dict(
    backbone=dict(
        _delete_=True,
        type='spikemm.EMSResNet',
        arch=dict(preset='34'),
        T=4,
        shortcut='concat',
        out_indices=(0, 1, 2, 3),
        time_reduction='mean',
        neuron=fire),
    neck=dict(in_channels=[64, 128, 256, 512], neuron=dict(_delete_=True, **fire)),
    decode_head=dict(feature_strides=[4, 8, 16, 32], neuron=dict(_delete_=True, **fire)))
