_base_ = './mae_spikformerv2-8-512_t1_8xb256-200e_in1k.py'

model = dict(backbone=dict(arch=dict(preset='16-768')), neck=dict(embed_dim=768))
