# Mask R-CNN: mmdet's stock neck and heads on the mean spikes of Spikformer over time. The maps of stride 4, 8 and 16
# are its last three; a fourth and a fifth level are pooled.
_base_ = './mask-rcnn_sdtv2_fpn.py'

strides = [4, 8, 16, 32, 64]

model = dict(
    backbone=dict(
        _delete_=True,
        type='spikemm.Spikformer',
        arch=dict(preset='8-384'),
        T=1,  # no parameter depends on T: weights of T=4 do
        out_indices=(1, 2, 3),
        time_reduction='mean',
        neuron=_base_.neuron,
        init_cfg=dict(type='Pretrained', checkpoint='checkpoints/spikformer-8-384_t4_in1k.pth', prefix='backbone.')),
    neck=dict(in_channels=[96, 192, 384]),
    rpn_head=dict(anchor_generator=dict(strides=strides)),
    roi_head=dict(
        bbox_roi_extractor=dict(featmap_strides=strides[:4]), mask_roi_extractor=dict(featmap_strides=strides[:4])))
