_base_ = [
    '../_base_/models/mask-rcnn_ms-resnet_spike-fpn.py',
    '../_base_/datasets/coco_instance.py',
    '../_base_/schedules/coco_bs16_adamw-1x.py',
    '../_base_/default_runtime_det.py',
]

model = dict(
    backbone=dict(type='spikemm.AttMSResNet', init_cfg=dict(checkpoint='checkpoints/att-ms-resnet34_t1_in1k.pth')))
