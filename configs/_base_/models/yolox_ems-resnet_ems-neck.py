# YOLOX with backbone and neck of EMS-YOLO and the spiking head, from scratch; all neurons are those of the backbone.
_base_ = './yolox_sdtv2_spike-fpn.py'

fire = dict(
    type='LIF', tau=4 / 3, v_threshold=0.5 + 2**-24, decay_input=False, surrogate=dict(type='Rect', alpha=1.0))
neuron = dict(_delete_=True, **fire)

model = dict(
    backbone=dict(
        _delete_=True,
        type='spikemm.EMSResNet',
        arch=dict(preset='34'),
        T=4,
        shortcut='concat',
        out_indices=(2, 3),  # strides 16 and 32
        neuron=fire),
    neck=dict(
        _delete_=True,
        type='spikemm.EMSNeck',
        in_channels=(256, 512),
        out_channels=(256, 256),  # EMS-YOLO has 512 at stride 32; the head takes one width
        neuron=fire),
    bbox_head=dict(in_channels=256, strides=(16, 32), neuron=dict(_delete_=True, **fire)))
