# The encoder of spikformer_v2_nano.py for 32 x 32 pixels: 64 patches of 4 x 4, 16 of which it sees.
_base_ = './mae_spikformer_v2.py'

neuron = dict(type='LIF', tau=2.0, surrogate=dict(type='ATan', alpha=2.0))
model = dict(
    backbone=dict(arch=dict(preset='nano', strides=(2, 2, 1, 1)), residual_init=0.2, neuron=neuron),
    neck=dict(num_patches=64, patch_size=4, embed_dim=96, decoder_embed_dim=64, decoder_depth=2),
    head=dict(patch_size=4))
