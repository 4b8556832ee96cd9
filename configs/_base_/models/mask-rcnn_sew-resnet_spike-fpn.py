# Mask R-CNN with SEW-ResNet-50, spiking neck and heads. What they read are sums of spikes, which neurons must not
# halve: all are those of the backbone.
_base_ = './mask-rcnn_sdtv2_spike-fpn.py'

fire = dict(type='IF', surrogate=dict(type='ATan', alpha=2.0))
neuron = dict(_delete_=True, **fire)
strides = [4, 8, 16, 32, 64]

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
    rpn_head=dict(anchor_generator=dict(strides=strides), neuron=dict(_delete_=True, **fire)),
    roi_head=dict(
        bbox_roi_extractor=dict(featmap_strides=strides[:4]),
        bbox_head=dict(neuron=dict(_delete_=True, **fire)),
        mask_roi_extractor=dict(featmap_strides=strides[:4]),
        mask_head=dict(neuron=dict(_delete_=True, **fire))))
