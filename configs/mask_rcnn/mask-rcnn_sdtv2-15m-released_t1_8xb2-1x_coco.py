# For weights of the released code, which takes the maps of stride 4, 8, 16, 16, 32 for maps of stride 4, 8, 16, 32, 64:
# anchors of the fourth level lie twice too far apart, and large RoIs are cut out of a quarter of their map. Weights
# learned that way need it.
_base_ = './mask-rcnn_sdtv2-15m_t1_8xb2-1x_coco.py'

strides = [4, 8, 16, 32, 64]
model = dict(
    rpn_head=dict(anchor_generator=dict(strides=strides)),
    roi_head=dict(
        bbox_roi_extractor=dict(featmap_strides=strides[:4]), mask_roi_extractor=dict(featmap_strides=strides[:4])))
