# Semantic FPN with SEW-ResNet-50, spiking neck and head. Means over time of spikes seldom reach a threshold, so all
# steps run through neck and head, with the neurons of the backbone, which do not halve what they read.
_base_ = './semantic-fpn_sdtv2_spike-fpn.py'

fire = dict(type='IF', surrogate=dict(type='ATan', alpha=2.0))
neuron = dict(_delete_=True, **fire)

model = dict(
    backbone=dict(
        _delete_=True,
        type='spikemm.SEWResNet',
        arch=dict(preset='50'),
        T=4,
        out_indices=(0, 1, 2, 3),
        neuron=fire,
        init_cfg=dict(type='Pretrained', checkpoint='checkpoints/sew-resnet50_t4_in1k.pth', prefix='backbone.')),
    neck=dict(in_channels=[256, 512, 1024, 2048], neuron=dict(_delete_=True, **fire)),
    decode_head=dict(feature_strides=[4, 8, 16, 32], neuron=dict(_delete_=True, **fire)))
