# For 32 x 32 pixels, from scratch in minutes: stages of 16, 8, 4, 4 pixels and a wide surrogate.
neuron = dict(
    type='LIF', tau=4 / 3, v_threshold=0.5 + 2**-24, decay_input=False, surrogate=dict(type='ATan', alpha=2.0))

model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='spikemm.EMSResNet',
        arch=dict(preset='nano'),
        T=1,  # a still image is presented T times
        shortcut='concat',
        neuron=neuron),
    head=dict(
        type='spikemm.SpikeLinearClsHead',
        num_classes=10,
        in_channels=96,
        neuron=neuron,
        loss=dict(type='CrossEntropyLoss'),
        topk=(1, )))
