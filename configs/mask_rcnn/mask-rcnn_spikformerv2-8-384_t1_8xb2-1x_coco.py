_base_ = [
    '../_base_/models/mask-rcnn_sdtv2_spike-fpn.py',
    '../_base_/datasets/coco_instance.py',
    '../_base_/schedules/coco_bs16_adamw-1x.py',
    '../_base_/default_runtime_det.py',
]

strides = [4, 8, 16, 32, 64]  # three maps of the backbone, two pooled ones
model = dict(
    backbone=dict(
        _delete_=True,
        type='spikemm.SpikformerV2',
        arch=dict(preset='8-384'),
        T=1,  # a still image is presented T times
        out_indices=(1, 2, 3),
        neuron=_base_.neuron,
        init_cfg=dict(type='Pretrained', checkpoint='checkpoints/spikformerv2-8-384_t4_in1k.pth', prefix='backbone.')),
    neck=dict(in_channels=[96, 192, 384]),
    rpn_head=dict(anchor_generator=dict(strides=strides)),
    roi_head=dict(
        bbox_roi_extractor=dict(featmap_strides=strides[:4]), mask_roi_extractor=dict(featmap_strides=strides[:4])))
