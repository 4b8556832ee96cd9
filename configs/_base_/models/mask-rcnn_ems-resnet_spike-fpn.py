# Mask R-CNN with EMS-ResNet-34, spiking neck and heads; all neurons are those of the backbone.
_base_ = './mask-rcnn_sdtv2_spike-fpn.py'

fire = dict(
    type='LIF', tau=4 / 3, v_threshold=0.5 + 2**-24, decay_input=False, surrogate=dict(type='Rect', alpha=1.0))
neuron = dict(_delete_=True, **fire)
strides = [4, 8, 16, 32, 64]

model = dict(
    backbone=dict(
        _delete_=True,
        type='spikemm.EMSResNet',
        arch=dict(preset='34'),
        T=4,
        shortcut='concat',
        out_indices=(0, 1, 2, 3),
        neuron=fire),
    neck=dict(in_channels=[64, 128, 256, 512], neuron=dict(_delete_=True, **fire)),
    rpn_head=dict(anchor_generator=dict(strides=strides), neuron=dict(_delete_=True, **fire)),
    roi_head=dict(
        bbox_roi_extractor=dict(featmap_strides=strides[:4]),
        bbox_head=dict(neuron=dict(_delete_=True, **fire)),
        mask_roi_extractor=dict(featmap_strides=strides[:4]),
        mask_head=dict(neuron=dict(_delete_=True, **fire))))
