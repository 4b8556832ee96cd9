# For 32 x 32 pixels, from scratch in minutes: a wide surrogate and residual branches that start small, but not at zero,
# let gradients pass.
_base_ = './ms_resnet.py'

neuron = dict(surrogate=dict(_delete_=True, type='ATan', alpha=2.0))
model = dict(
    # stages of 16, 8, 4, 4 pixels
    backbone=dict(arch=dict(preset='nano'), T=1, residual_init=0.2, neuron=neuron),
    head=dict(
        num_classes=10, in_channels=96, neuron=neuron, loss=dict(_delete_=True, type='CrossEntropyLoss'), topk=(1, )))
