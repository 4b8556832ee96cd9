# 18.3 M parameters, for frames of events with two polarities.
_base_ = './meta_spikeformer.py'

model = dict(
    backbone=dict(arch=dict(preset='18m'), in_channels=2),
    head=dict(num_classes=300, in_channels=400))
