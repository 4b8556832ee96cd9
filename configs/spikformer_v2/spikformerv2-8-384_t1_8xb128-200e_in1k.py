_base_ = [
    '../_base_/models/spikformer_v2.py',
    '../_base_/datasets/imagenet_bs128_sdtv2.py',
    '../_base_/schedules/imagenet_bs1024_lamb_sdtv2.py',
    '../_base_/default_runtime.py',
]
