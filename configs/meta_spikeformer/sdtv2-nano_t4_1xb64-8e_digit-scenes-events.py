_base_ = [
    '../_base_/models/meta_spikeformer_nano.py',
    '../_base_/datasets/digit_scenes_events.py',
    '../_base_/schedules/digit_scenes_bs64_adamw-8e.py',
    '../_base_/default_runtime.py',
]

# The paper's neuron, which takes its input whole: few events a pixel have to make a spike.
neuron = dict(decay_input=False)
model = dict(backbone=dict(in_channels=2, neuron=neuron), head=dict(neuron=neuron))
randomness = dict(seed=0)
