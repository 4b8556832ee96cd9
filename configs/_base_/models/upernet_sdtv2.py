# UPerNet: mmseg's stock heads on the mean potentials of Meta-SpikeFormer over time.
norm_cfg = dict(type='SyncBN', requires_grad=True)
loss = dict(type='CrossEntropyLoss', use_sigmoid=False)

model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='SegDataPreProcessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_val=0,
        seg_pad_val=255,
        size=(512, 512),  # of training crops
        test_cfg=dict(size_divisor=32)),
    backbone=dict(
        type='spikemm.MetaSpikeFormer',
        arch=dict(preset='15m'),
        T=1,  # a still image is presented T times
        out_indices=(1, 2, 3, 4),
        time_reduction='mean',  # the heads are no spiking ones
        neuron=dict(type='LIF', tau=2.0),
        init_cfg=dict(type='Pretrained', checkpoint='checkpoints/sdtv2-15m_t1_in1k.pth', prefix='backbone.')),
    decode_head=dict(
        type='UPerHead',
        in_channels=[64, 128, 256, 360],
        in_index=[0, 1, 2, 3],
        pool_scales=(1, 2, 3, 6),
        channels=512,
        dropout_ratio=0.1,
        num_classes=150,
        norm_cfg=norm_cfg,
        align_corners=False,
        loss_decode=dict(loss_weight=1.0, **loss)),
    auxiliary_head=dict(
        type='FCNHead',
        in_channels=256,
        in_index=2,
        channels=256,
        num_convs=1,
        concat_input=False,
        dropout_ratio=0.1,
        num_classes=150,
        norm_cfg=norm_cfg,
        align_corners=False,
        loss_decode=dict(loss_weight=0.4, **loss)),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'))
