_base_ = './spikformerv2-nano-mae-1k_t1_1xb20-48e_digit-scenes.py'

model = dict(backbone=dict(T=4))
