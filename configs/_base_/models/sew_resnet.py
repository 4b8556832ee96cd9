# SEW-ResNet-18. Its outputs are sums of spikes, which the head reads as they are (neuron=None).
model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='spikemm.SEWResNet',
        arch=dict(preset='18'),
        T=4,  # a still image is presented T times
        connect='add',
        neuron=dict(type='IF', surrogate=dict(type='ATan', alpha=2.0))),
    head=dict(
        type='spikemm.SpikeLinearClsHead',
        num_classes=1000,
        in_channels=512,
        neuron=None,
        loss=dict(type='CrossEntropyLoss'),
        topk=(1, 5)))
