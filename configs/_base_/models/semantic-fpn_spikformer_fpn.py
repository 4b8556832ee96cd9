# Semantic FPN: mmseg's stock neck and head on the mean spikes of Spikformer over time, of stride 2, 4, 8 and 16.
_base_ = './semantic-fpn_sdtv2_fpn.py'

model = dict(
    backbone=dict(
        _delete_=True,
        type='spikemm.Spikformer',
        arch=dict(preset='8-384'),
        T=1,  # no parameter depends on T: weights of T=4 do
        out_indices=(0, 1, 2, 3),
        time_reduction='mean',
        neuron=_base_.neuron,
        init_cfg=dict(type='Pretrained', checkpoint='checkpoints/spikformer-8-384_t4_in1k.pth', prefix='backbone.')),
    neck=dict(in_channels=[48, 96, 192, 384]))
