_base_ = [
    '../_base_/models/mae_spikformer_v2_nano.py',
    '../_base_/datasets/digit_scenes_mae.py',
    '../_base_/schedules/digit_scenes_bs128_adamw-mae-16e.py',
    '../_base_/default_runtime.py',
]
default_hooks = dict(checkpoint=dict(interval=8, save_best=None))
randomness = dict(seed=0)
