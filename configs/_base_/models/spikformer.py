# The last stage's outputs are sums of spikes, which the head reads as they are: it has no neuron. To swap the
# backbone's, a leaf config says backbone=dict(neuron=dict(_delete_=True, type='PLIF', init_tau=2.0)).
model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='spikemm.Spikformer',
        arch=dict(preset='8-512'),  # a dict, so that a leaf can change one field
        T=4,  # a still image is presented T times
        neuron=dict(type='LIF', tau=2.0)),
    head=dict(
        type='spikemm.SpikeLinearClsHead',
        num_classes=1000,
        in_channels=512,
        neuron=None,
        loss=dict(type='LabelSmoothLoss', label_smooth_val=0.1, mode='original'),
        topk=(1, 5)))
