# RetinaNet with Meta-SpikeFormer, spiking neck and head; training and test settings are mmdet's of R-50.
# The neuron is written once and handed to every part; meta_spikeformer.py says how a leaf swaps it.
neuron = dict(type='LIF', tau=2.0)

model = dict(
    type='RetinaNet',
    data_preprocessor=dict(
        type='DetDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        # The highest level halves the map twice more; 32 is enough, convolutions round up.
        pad_size_divisor=32),
    backbone=dict(
        type='spikemm.MetaSpikeFormer',
        arch=dict(preset='15m'),
        T=1,  # a still image is presented T times; time ends in the head
        # Strides 8 and 16. Stage 3 has stride 16 as well and is left out: two levels at one stride would only make the
        # anchors denser, and with its nine an anchor position costs RetinaNet most.
        out_indices=(2, 4),
        neuron=neuron,
        init_cfg=dict(type='Pretrained', checkpoint='checkpoints/sdtv2-15m_t1_in1k.pth', prefix='backbone.')),
    neck=dict(
        type='spikemm.SpikeFPN',
        in_channels=[128, 360],
        out_channels=256,
        num_outs=5,  # 8, 16, and 32, 64, 128 by convolutions: RetinaNet's usual five levels
        add_extra_convs='on_output',
        neuron=neuron),
    bbox_head=dict(
        type='spikemm.SpikeRetinaHead',
        num_classes=80,
        in_channels=256,
        stacked_convs=4,
        feat_channels=256,
        neuron=neuron,
        anchor_generator=dict(
            type='AnchorGenerator',
            octave_base_scale=4,
            scales_per_octave=3,
            ratios=[0.5, 1.0, 2.0],
            strides=[8, 16, 32, 64, 128]),
        bbox_coder=dict(
            type='DeltaXYWHBBoxCoder', target_means=[0.0, 0.0, 0.0, 0.0], target_stds=[1.0, 1.0, 1.0, 1.0]),
        loss_cls=dict(type='FocalLoss', use_sigmoid=True, gamma=2.0, alpha=0.25, loss_weight=1.0),
        loss_bbox=dict(type='L1Loss', loss_weight=1.0)),
    train_cfg=dict(
        assigner=dict(type='MaxIoUAssigner', pos_iou_thr=0.5, neg_iou_thr=0.4, min_pos_iou=0, ignore_iof_thr=-1),
        sampler=dict(type='PseudoSampler'),  # the focal loss needs all anchors
        allowed_border=-1,
        pos_weight=-1,
        debug=False),
    test_cfg=dict(
        nms_pre=1000, min_bbox_size=0, score_thr=0.05, nms=dict(type='nms', iou_threshold=0.5), max_per_img=100))
