# Cascade Mask R-CNN with spiking neck and heads: three box heads, each refining the boxes of the one before, and a mask
# head for each, on what Mask R-CNN has. Training and test settings are mmdet's of R-50, with L1 losses as released.
_base_ = './mask-rcnn_sdtv2_spike-fpn.py'

bbox_head = dict(
    type='spikemm.SpikeShared2FCBBoxHead',
    in_channels=256,
    fc_out_channels=1024,
    roi_feat_size=7,
    num_classes=80,
    neuron=_base_.neuron,
    reg_class_agnostic=True,
    loss_cls=dict(type='CrossEntropyLoss', use_sigmoid=False, loss_weight=1.0),
    loss_bbox=dict(type='L1Loss', loss_weight=1.0))
bbox_coder = dict(type='DeltaXYWHBBoxCoder', target_means=[0.0, 0.0, 0.0, 0.0])
assigner = dict(type='MaxIoUAssigner', match_low_quality=False, ignore_iof_thr=-1)
settings = dict(
    sampler=dict(type='RandomSampler', num=512, pos_fraction=0.25, neg_pos_ub=-1, add_gt_as_proposals=True),
    mask_size=28,
    pos_weight=-1,
    debug=False)

model = dict(
    type='CascadeRCNN',
    roi_head=dict(
        type='spikemm.SpikeCascadeRoIHead',
        num_stages=3,
        stage_loss_weights=[1, 0.5, 0.25],
        bbox_head=[
            dict(bbox_coder=dict(target_stds=[0.1, 0.1, 0.2, 0.2], **bbox_coder), **bbox_head),
            dict(bbox_coder=dict(target_stds=[0.05, 0.05, 0.1, 0.1], **bbox_coder), **bbox_head),
            dict(bbox_coder=dict(target_stds=[0.033, 0.033, 0.067, 0.067], **bbox_coder), **bbox_head),
        ]),
    train_cfg=dict(
        rpn=dict(allowed_border=0),
        rpn_proposal=dict(max_per_img=2000),
        rcnn=[
            dict(assigner=dict(pos_iou_thr=0.5, neg_iou_thr=0.5, min_pos_iou=0.5, **assigner), **settings),
            dict(assigner=dict(pos_iou_thr=0.6, neg_iou_thr=0.6, min_pos_iou=0.6, **assigner), **settings),
            dict(assigner=dict(pos_iou_thr=0.7, neg_iou_thr=0.7, min_pos_iou=0.7, **assigner), **settings),
        ]))
