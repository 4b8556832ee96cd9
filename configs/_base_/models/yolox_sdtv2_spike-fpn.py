# YOLOX with Meta-SpikeFormer, spiking neck and head, trained from scratch. The neck is a feature pyramid instead of
# YOLOX's PAFPN, whose activations would each need their neuron. Widths of the head are YOLOX-s'.
# The neuron is written once and handed to every part; meta_spikeformer.py says how a leaf swaps it.
neuron = dict(type='LIF', tau=2.0)

model = dict(
    type='YOLOX',
    data_preprocessor=dict(
        type='DetDataPreprocessor',
        mean=[123.675, 116.28, 103.53],  # YOLOX itself takes pixels as they are; the backbone's stem does not
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_size_divisor=32,
        batch_augments=[
            dict(type='BatchSyncRandomResize', random_size_range=(480, 800), size_divisor=32, interval=10),
        ]),
    backbone=dict(
        type='spikemm.MetaSpikeFormer',
        arch=dict(preset='15m'),
        T=1,  # a still image is presented T times; time ends in the head
        out_indices=(2, 4),  # strides 8 and 16
        residual_init=0.2,  # from scratch: residual branches that start small let gradients pass
        neuron=neuron),
    neck=dict(
        type='spikemm.SpikeFPN',
        in_channels=[128, 360],
        out_channels=128,
        num_outs=3,  # stride 32 by a convolution
        add_extra_convs='on_output',
        norm_cfg=dict(type='BN', momentum=0.03, eps=0.001),
        neuron=neuron),
    bbox_head=dict(
        type='spikemm.SpikeYOLOXHead',
        num_classes=80,
        in_channels=128,
        feat_channels=128,
        stacked_convs=2,
        strides=(8, 16, 32),
        norm_cfg=dict(type='BN', momentum=0.03, eps=0.001),
        neuron=neuron,
        loss_cls=dict(type='CrossEntropyLoss', use_sigmoid=True, reduction='sum', loss_weight=1.0),
        loss_bbox=dict(type='IoULoss', mode='square', eps=1e-16, reduction='sum', loss_weight=5.0),
        loss_obj=dict(type='CrossEntropyLoss', use_sigmoid=True, reduction='sum', loss_weight=1.0),
        loss_l1=dict(type='L1Loss', reduction='sum', loss_weight=1.0)),
    train_cfg=dict(assigner=dict(type='SimOTAAssigner', center_radius=2.5)),
    # As YOLOX: boxes above 0.01 in validation. For the last digit of a test use 0.001.
    test_cfg=dict(score_thr=0.01, nms=dict(type='nms', iou_threshold=0.65)))
