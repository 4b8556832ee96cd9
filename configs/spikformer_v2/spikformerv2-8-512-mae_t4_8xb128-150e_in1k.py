_base_ = './spikformerv2-8-512-mae_t1_8xb128-150e_in1k.py'

model = dict(backbone=dict(T=4))
