# For 32 x 32 pixels, from scratch in minutes: a wide surrogate lets gradients pass.
_base_ = './spikformer.py'

model = dict(
    backbone=dict(
        arch=dict(preset='nano'),  # stages of 16, 8, 4, 4 pixels, a block with attention in the last
        T=1,
        neuron=dict(surrogate=dict(type='ATan', alpha=2.0))),
    head=dict(
        num_classes=10,
        in_channels=96,
        loss=dict(_delete_=True, type='CrossEntropyLoss'),
        topk=(1, )))
