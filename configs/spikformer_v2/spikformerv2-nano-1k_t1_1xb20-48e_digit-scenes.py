_base_ = [
    '../_base_/models/spikformer_v2_nano.py',
    '../_base_/datasets/digit_scenes_cls.py',
    '../_base_/schedules/digit_scenes_bs20_adamw-48e.py',
    '../_base_/default_runtime.py',
]

# 1,000 labels, 100 a class: every 24th image
train_dataloader = dict(batch_size=20, dataset=dict(indices=list(range(0, 24_000, 24))))
default_hooks = dict(checkpoint=dict(interval=48, save_best=None))
randomness = dict(seed=0)
