# Mask R-CNN on MS-ResNet-34 with spiking neck and heads. Neck and heads have the backbone's neuron.
_base_ = './mask-rcnn_sdtv2_spike-fpn.py'

neuron = dict(
    _delete_=True, type='LIF', tau=4 / 3, v_threshold=0.5 + 2**-24, decay_input=False,
    surrogate=dict(type='Rect', alpha=1.0))

strides = [4, 8, 16, 32, 64]  # a fifth level is pooled
roi_extractor = dict(featmap_strides=strides[:4])
model = dict(
    backbone=dict(
        type='spikemm.MSResNet',
        arch=dict(preset='34'),
        out_indices=(0, 1, 2, 3),
        neuron=neuron,
        init_cfg=dict(checkpoint='checkpoints/ms-resnet34_t6_in1k.pth')),
    neck=dict(in_channels=[64, 128, 256, 512], neuron=neuron),
    rpn_head=dict(anchor_generator=dict(strides=strides), neuron=neuron),
    roi_head=dict(
        bbox_roi_extractor=roi_extractor,
        bbox_head=dict(neuron=neuron),
        mask_roi_extractor=roi_extractor,
        mask_head=dict(neuron=neuron)))
