# Semantic FPN with spiking neck and head, as the released segmentation: they take one time step, the mean potential of
# the backbone's, whatever T is. The neuron is written once and handed to every part; meta_spikeformer.py says how a
# leaf swaps it.
_base_ = './semantic-fpn_sdtv2_fpn.py'

model = dict(
    neck=dict(type='spikemm.SpikeFPN', neuron=_base_.neuron),
    decode_head=dict(type='spikemm.SpikeFPNHead', neuron=_base_.neuron))
