# For 32 x 32 pixels, from scratch in minutes: a wide surrogate and residual branches that start small (residual_init)
# let gradients pass.
_base_ = './meta_spikeformer.py'

neuron = dict(type='LIF', tau=2.0, surrogate=dict(type='ATan', alpha=2.0))
model = dict(
    backbone=dict(
        # stages of 16, 8, 4, 4 pixels, the last one with attention
        arch=dict(preset='nano', depths=(1, 1, 1, 1), blocks=('conv', 'conv', 'conv', 'transformer')),
        residual_init=0.2,
        neuron=neuron),
    head=dict(
        num_classes=10,
        in_channels=96,
        neuron=neuron,
        loss=dict(_delete_=True, type='CrossEntropyLoss'),
        topk=(1, )))
