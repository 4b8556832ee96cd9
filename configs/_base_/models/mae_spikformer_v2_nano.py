# The encoder of spikformer_v2_nano.py for 32 x 32 pixels: 16 patches of 8 x 8, 8 of which it sees.
_base_ = './mae_spikformer_v2.py'

neuron = dict(type='LIF', tau=2.0, decay_input=False, surrogate=dict(type='ATan', alpha=2.0))
model = dict(
    backbone=dict(arch=dict(preset='nano'), residual_init=0.2, neuron=neuron),
    neck=dict(num_patches=16, patch_size=8, embed_dim=96, decoder_embed_dim=64, decoder_depth=2),
    head=dict(patch_size=8))
