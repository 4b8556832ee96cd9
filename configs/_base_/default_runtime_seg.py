# Training is counted in iterations.
default_scope = 'mmseg'

default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50, log_metric_by_epoch=False),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(
        type='spikemm.SafeCheckpointHook',
        by_epoch=False,
        interval=4000,  # divides every schedule, so that the last iteration has a checkpoint
        max_keep_ckpts=3,
        save_best='mIoU',
        rule='greater'),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    visualization=dict(type='SegVisualizationHook', draw=False))
custom_hooks = [
    dict(type='spikemm.BadImageHook'),  # how many images the data loading skipped
    dict(type='spikemm.FiringRateHook', interval=50),  # names layers that are silent or always fire
]

# For TensorBoard add dict(type='TensorboardVisBackend') to the list.
visualizer = dict(type='SegLocalVisualizer', vis_backends=[dict(type='LocalVisBackend')])
log_processor = dict(type='LogProcessor', window_size=50, by_epoch=False)

env_cfg = dict(
    cudnn_benchmark=True,  # every training image has the size of the crop
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl'))
log_level = 'INFO'
load_from = None
resume = False
randomness = dict(seed=None, deterministic=False)
