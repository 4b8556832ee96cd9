# Semantic FPN: mmseg's stock neck and head on the mean potentials of Meta-SpikeFormer over time, with
# the widths of the released 15M. semantic-fpn_sdtv2_spike-fpn.py makes neck and head spiking.
neuron = dict(type='LIF', tau=2.0)

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
        out_indices=(0, 1, 2, 4),
        time_reduction='mean',
        neuron=neuron,
        init_cfg=dict(type='Pretrained', checkpoint='checkpoints/sdtv2-15m_t1_in1k.pth', prefix='backbone.')),
    neck=dict(type='FPN', in_channels=[32, 64, 128, 360], out_channels=128, num_outs=4),
    decode_head=dict(
        type='FPNHead',
        in_channels=[128, 128, 128, 128],
        in_index=[0, 1, 2, 3],
        feature_strides=[2, 4, 8, 16],
        channels=128,
        num_classes=150,
        norm_cfg=dict(type='SyncBN', requires_grad=True),
        align_corners=False,
        loss_decode=dict(type='CrossEntropyLoss', use_sigmoid=False, loss_weight=1.0)),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'))
