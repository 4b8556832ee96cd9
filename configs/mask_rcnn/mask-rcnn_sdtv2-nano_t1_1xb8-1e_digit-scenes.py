_base_ = [
    '../_base_/models/mask-rcnn_sdtv2_spike-fpn.py',
    '../_base_/datasets/digit_scenes_det.py',
    '../_base_/schedules/digit_scenes_bs8_adamw-1e.py',
    '../_base_/default_runtime_det.py',
]

# From scratch in minutes: a wide surrogate, currents that are not halved, residual branches that start small, norms in
# neck and mask head, and a box and a mask shared by the classes.
neuron = dict(type='LIF', tau=2.0, decay_input=False, surrogate=dict(type='ATan', alpha=2.0))
norm = dict(type='BN')
channels = 64
strides = [4, 8]  # digits are 19 to 64 pixels high
roi_extractor = dict(
    roi_layer=dict(sampling_ratio=1), out_channels=channels, featmap_strides=strides, finest_scale=32)
model = dict(
    data_preprocessor=_base_.data_preprocessor,
    backbone=dict(
        arch=dict(preset='nano', depths=(1, 1, 1, 1), blocks=('conv', 'conv', 'conv', 'transformer')),
        out_indices=(1, 3),
        residual_init=0.2,
        neuron=neuron,
        init_cfg=None),
    neck=dict(in_channels=[32, 96], out_channels=channels, num_outs=2, norm_cfg=norm, neuron=neuron),
    rpn_head=dict(
        in_channels=channels,
        feat_channels=channels,
        neuron=neuron,
        init_cfg=dict(
            type='Kaiming',
            layer='Conv2d',
            override=[dict(type='Normal', std=0.01, name=name) for name in ('rpn_cls', 'rpn_reg')]),
        anchor_generator=dict(scales=[5], ratios=[0.7, 1.4, 2.8], strides=strides, base_sizes=strides)),
    roi_head=dict(
        bbox_roi_extractor=roi_extractor,
        bbox_head=dict(
            in_channels=channels, fc_out_channels=256, num_classes=10, reg_class_agnostic=True, neuron=neuron),
        mask_roi_extractor=roi_extractor,
        mask_head=dict(
            num_convs=2,
            in_channels=channels,
            conv_out_channels=channels,
            num_classes=10,
            class_agnostic=True,
            norm_cfg=norm,
            relu=False,
            neuron=neuron)),
    train_cfg=dict(
        rpn=dict(assigner=dict(pos_iou_thr=0.6), sampler=dict(num=64)),
        rpn_proposal=dict(nms_pre=200, max_per_img=100),
        rcnn=dict(sampler=dict(num=32, pos_fraction=0.4))),
    test_cfg=dict(rpn=dict(nms_pre=200, max_per_img=100), rcnn=dict(max_per_img=20)))
randomness = dict(seed=0)
