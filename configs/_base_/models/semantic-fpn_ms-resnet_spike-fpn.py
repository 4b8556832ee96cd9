# Semantic FPN on MS-ResNet-34: neck and head take the mean potential of its time steps and have its neuron.
_base_ = './semantic-fpn_sdtv2_spike-fpn.py'

neuron = dict(
    _delete_=True, type='LIF', tau=4 / 3, v_threshold=0.5 + 2**-24, decay_input=False,
    surrogate=dict(type='Rect', alpha=1.0))

model = dict(
    backbone=dict(
        type='spikemm.MSResNet',
        arch=dict(preset='34'),
        out_indices=(0, 1, 2, 3),
        neuron=neuron,
        init_cfg=dict(checkpoint='checkpoints/ms-resnet34_t6_in1k.pth')),
    neck=dict(in_channels=[64, 128, 256, 512], neuron=neuron),
    decode_head=dict(feature_strides=[4, 8, 16, 32], neuron=neuron))
