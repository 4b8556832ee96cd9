_base_ = './spikformerv2-8-384_t4_8xb128-200e_in1k.py'

model = dict(backbone=dict(arch=dict(preset='8-512')), head=dict(in_channels=512))
