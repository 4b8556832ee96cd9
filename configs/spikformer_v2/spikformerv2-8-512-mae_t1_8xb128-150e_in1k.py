_base_ = [
    '../_base_/models/spikformer_v2.py',
    '../_base_/datasets/imagenet_bs128_sdtv2.py',
    '../_base_/schedules/imagenet_bs1024_lamb-layer-decay-150e.py',
    '../_base_/default_runtime.py',
]

# Mixup and CutMix as the large model of Spike-driven Transformer V3 is fine-tuned, from the pre-trained encoder.
model = dict(
    backbone=dict(
        arch=dict(preset='8-512'),
        drop_path_rate=0.1,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='work_dirs/mae_spikformerv2-8-512_t1_8xb256-200e_in1k/epoch_200.pth',
            prefix='backbone.')),
    head=dict(in_channels=512),
    train_cfg=dict(augments=[dict(type='Mixup', alpha=0.8), dict(type='CutMix', alpha=1.0)]))
