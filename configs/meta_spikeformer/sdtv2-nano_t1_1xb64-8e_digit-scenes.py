_base_ = [
    '../_base_/models/meta_spikeformer.py',
    '../_base_/datasets/digit_scenes_cls.py',
    '../_base_/schedules/digit_scenes_bs64_adamw-8e.py',
    '../_base_/default_runtime.py',
]

# From scratch in minutes: a wide surrogate and residual branches that start small (residual_init) let gradients pass.
neuron = dict(type='LIF', tau=2.0, surrogate=dict(type='ATan', alpha=2.0))
model = dict(
    backbone=dict(
        # 32 px: stages of 16, 8, 4, 4, the last one with attention
        arch=dict(preset='nano', depths=(1, 1, 1, 1), blocks=('conv', 'conv', 'conv', 'transformer')),
        residual_init=0.2,
        neuron=neuron),
    head=dict(
        num_classes=10,
        in_channels=96,
        neuron=neuron,
        loss=dict(_delete_=True, type='CrossEntropyLoss'),
        topk=(1, )))
