_base_ = './spikformerv2-8-512-mae_t1_8xb128-150e_in1k.py'

checkpoint = 'work_dirs/mae_spikformerv2-16-768_t1_8xb256-200e_in1k/epoch_200.pth'
model = dict(
    backbone=dict(arch=dict(preset='16-768'), init_cfg=dict(checkpoint=checkpoint)), head=dict(in_channels=768))
