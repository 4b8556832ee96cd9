_base_ = [
    '../_base_/models/mask-rcnn_sdtv2_spike-fpn.py',
    '../_base_/datasets/gen1.py',
    '../_base_/schedules/coco_bs16_adamw-3x.py',
    '../_base_/default_runtime_det.py',
]

# The detector of configs/mask_rcnn without masks, for events and half the image size. It trains from scratch: weights
# of ImageNet have three input channels. Hence 3x, and 8 clips on each of 2 GPUs, not 2 on each of 8, for the norms.
model = dict(
    type='FasterRCNN',
    data_preprocessor=dict(_delete_=True, type='spikemm.EventDetDataPreprocessor', pad_size_divisor=32),
    backbone=dict(in_channels=2, init_cfg=None),
    rpn_head=dict(anchor_generator=dict(base_sizes=[2, 4, 8, 16, 32])),  # 16 to 256 pixels
    roi_head=dict(
        bbox_roi_extractor=dict(finest_scale=28),
        bbox_head=dict(num_classes=2),
        mask_roi_extractor=None,
        mask_head=None))
