# For 32 x 32 pixels, from scratch in minutes: currents that are not halved, a wide surrogate and residual branches that
# start small (residual_init) let gradients pass. A token is a patch of 8 x 8 pixels; the head reads firing rates.
_base_ = './spikformer_v2.py'

neuron = dict(type='LIF', tau=2.0, decay_input=False, surrogate=dict(type='ATan', alpha=2.0))
model = dict(
    backbone=dict(arch=dict(preset='nano'), residual_init=0.2, neuron=neuron),
    head=dict(
        num_classes=10,
        in_channels=96,
        neuron=neuron,
        loss=dict(_delete_=True, type='CrossEntropyLoss'),
        topk=(1, )))
