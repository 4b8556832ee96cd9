# From the pre-trained encoder; a layer learns at 0.9 times the rate of the next, the stem counts as one.
_base_ = './spikformerv2-nano-1k_t1_1xb20-48e_digit-scenes.py'

model = dict(
    backbone=dict(
        init_cfg=dict(
            type='Pretrained',
            checkpoint='work_dirs/mae_spikformerv2-nano_t1_1xb128-16e_digit-scenes/epoch_16.pth',
            prefix='backbone.')))
optim_wrapper = dict(
    constructor='LearningRateDecayOptimWrapperConstructor', paramwise_cfg=dict(layer_decay_rate=0.9))
