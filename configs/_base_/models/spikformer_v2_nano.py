# For 32 x 32 pixels, from scratch in minutes: a wide surrogate and residual branches that start small (residual_init)
# let gradients pass. A token is a patch of 4 x 4 pixels.
_base_ = './spikformer_v2.py'

neuron = dict(type='LIF', tau=2.0, surrogate=dict(type='ATan', alpha=2.0))
model = dict(
    backbone=dict(arch=dict(preset='nano', strides=(2, 2, 1, 1)), residual_init=0.2, neuron=neuron),
    head=dict(
        num_classes=10,
        in_channels=96,
        neuron=neuron,
        loss=dict(_delete_=True, type='CrossEntropyLoss'),
        topk=(1, )))
