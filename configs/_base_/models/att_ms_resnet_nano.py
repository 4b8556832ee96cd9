# For 32 x 32 pixels, from scratch in minutes.
_base_ = './ms_resnet_nano.py'

model = dict(backbone=dict(type='spikemm.AttMSResNet'))
