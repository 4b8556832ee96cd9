_base_ = './spikformerv2-8-384_t1_8xb128-200e_in1k.py'

model = dict(backbone=dict(T=4))
