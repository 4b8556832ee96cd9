_base_ = [
    '../_base_/models/meta_spikeformer_nano.py',
    '../_base_/datasets/nmnist.py',
    '../_base_/schedules/digit_scenes_bs64_adamw-8e.py',
    '../_base_/default_runtime.py',
]

neuron = dict(decay_input=False)  # as for DigitScenes
model = dict(backbone=dict(in_channels=2, neuron=neuron), head=dict(neuron=neuron))
