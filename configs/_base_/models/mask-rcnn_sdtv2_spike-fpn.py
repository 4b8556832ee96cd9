# Mask R-CNN with spiking neck and heads. The neuron is written once and handed to every part; meta_spikeformer.py says
# how a leaf swaps it.
_base_ = './mask-rcnn_sdtv2_fpn.py'

model = dict(
    backbone=dict(time_reduction=None),  # time ends in the heads
    neck=dict(type='spikemm.SpikeFPN', neuron=_base_.neuron),
    rpn_head=dict(type='spikemm.SpikeRPNHead', neuron=_base_.neuron),
    roi_head=dict(
        type='spikemm.SpikeStandardRoIHead',
        bbox_roi_extractor=dict(type='spikemm.SpikeRoIExtractor'),
        bbox_head=dict(type='spikemm.SpikeShared2FCBBoxHead', neuron=_base_.neuron),
        mask_roi_extractor=dict(type='spikemm.SpikeRoIExtractor'),
        mask_head=dict(type='spikemm.SpikeFCNMaskHead', neuron=_base_.neuron)))
