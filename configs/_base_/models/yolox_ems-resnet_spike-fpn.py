# YOLOX with EMS-ResNet-34, spiking neck and head, trained from scratch; all neurons are those of the backbone.
_base_ = './yolox_sdtv2_spike-fpn.py'

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
        out_indices=(1, 2, 3),  # strides 8, 16 and 32
        neuron=fire),
    neck=dict(in_channels=[128, 256, 512], add_extra_convs=False, neuron=dict(_delete_=True, **fire)),
    bbox_head=dict(neuron=dict(_delete_=True, **fire)))
