# The neuron of the whole model, written once and handed to the backbone and to the head. To swap it, a leaf config says
#
#     neuron = dict(type='PLIF', init_tau=2.0)
#     model = dict(
#         backbone=dict(neuron=dict(_delete_=True, **neuron)),
#         head=dict(neuron=dict(_delete_=True, **neuron)))
#
# where `_delete_` drops the arguments of the LIF, which other neurons do not have.
neuron = dict(type='LIF', tau=2.0)

model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='spikemm.MetaSpikeFormer',
        arch=dict(preset='15m'),  # a dict, so that a leaf can change one field, as the ablations do
        T=1,  # a still image is presented T times
        neuron=neuron),
    head=dict(
        type='spikemm.SpikeLinearClsHead',
        num_classes=1000,
        in_channels=360,
        neuron=neuron,
        loss=dict(type='LabelSmoothLoss', label_smooth_val=0.1, mode='original'),
        topk=(1, 5)))
