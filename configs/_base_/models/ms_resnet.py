# The neuron of the released code keeps a quarter of its potential and fires above 0.5: from the next float32 on. It is
# written once and handed to the backbone and to the head; meta_spikeformer.py says how a leaf swaps it.
neuron = dict(
    type='LIF', tau=4 / 3, v_threshold=0.5 + 2**-24, decay_input=False, surrogate=dict(type='Rect', alpha=1.0))

model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='spikemm.MSResNet',
        arch=dict(preset='34'),
        T=6,  # a still image is presented T times
        neuron=neuron),
    head=dict(
        type='spikemm.SpikeLinearClsHead',
        num_classes=1000,
        in_channels=512,
        neuron=neuron,
        fire_first=True,  # spikes are averaged over space, not membrane potentials
        loss=dict(type='LabelSmoothLoss', label_smooth_val=0.1, mode='original'),
        topk=(1, 5)))
