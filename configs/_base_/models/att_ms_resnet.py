# MS-ResNet with channel and spatial attention at the end of every residual branch, and dropout in the head.
_base_ = './ms_resnet.py'

model = dict(backbone=dict(type='spikemm.AttMSResNet', T=1), head=dict(dropout=0.2))
