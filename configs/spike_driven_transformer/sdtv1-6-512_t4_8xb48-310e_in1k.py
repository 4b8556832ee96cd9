_base_ = [
    '../_base_/models/spike_driven_transformer.py',
    '../_base_/datasets/imagenet_bs48_sdtv1.py',
    '../_base_/schedules/imagenet_bs288_lamb_sdtv1.py',
    '../_base_/default_runtime.py',
]

model = dict(backbone=dict(arch=dict(preset='6-512')), head=dict(in_channels=512))
auto_scale_lr = dict(base_batch_size=384)  # the learning rate does not depend on the batch, see the schedule
