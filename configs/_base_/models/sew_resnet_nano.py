# For 32 x 32 pixels, from scratch in minutes: stages of 16, 8, 4, 4 pixels.
_base_ = './sew_resnet.py'

model = dict(
    backbone=dict(arch=dict(preset='nano'), T=1),
    head=dict(num_classes=10, in_channels=96, topk=(1, )))
