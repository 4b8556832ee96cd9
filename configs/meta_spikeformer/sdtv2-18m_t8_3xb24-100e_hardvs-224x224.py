_base_ = [
    '../_base_/models/meta_spikeformer_hardvs.py',
    '../_base_/datasets/hardvs_frames.py',
    '../_base_/schedules/hardvs_bs72_adamw-100e.py',
    '../_base_/default_runtime.py',
]

custom_hooks = [
    dict(type='spikemm.BadImageHook'),
    dict(type='spikemm.FiringRateHook', interval=100),
    dict(type='EMAHook', momentum=0.001),
]
