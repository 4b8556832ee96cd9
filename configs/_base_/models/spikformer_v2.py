neuron = dict(type='LIF', tau=2.0)  # of the whole model

model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='spikemm.SpikformerV2',
        arch=dict(preset='8-384'),
        T=1,  # a still image is presented T times
        neuron=neuron),
    head=dict(
        type='spikemm.SpikeLinearClsHead',
        num_classes=1000,
        in_channels=384,
        neuron=neuron,
        fire_first=True,  # the linear layer reads firing rates
        loss=dict(type='LabelSmoothLoss', label_smooth_val=0.1, mode='original'),
        topk=(1, 5)))
