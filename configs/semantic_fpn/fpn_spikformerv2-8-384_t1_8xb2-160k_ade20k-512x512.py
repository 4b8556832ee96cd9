_base_ = [
    '../_base_/models/semantic-fpn_sdtv2_spike-fpn.py',
    '../_base_/datasets/ade20k_512x512.py',
    '../_base_/schedules/seg_bs16_adamw-160k.py',
    '../_base_/default_runtime_seg.py',
]

model = dict(
    backbone=dict(
        _delete_=True,
        type='spikemm.SpikformerV2',
        arch=dict(preset='8-384'),
        T=1,  # a still image is presented T times; time ends in the head
        out_indices=(0, 1, 2, 3),
        neuron=_base_.neuron,
        init_cfg=dict(type='Pretrained', checkpoint='checkpoints/spikformerv2-8-384_t4_in1k.pth', prefix='backbone.')),
    neck=dict(in_channels=[48, 96, 192, 384]))
