_base_ = [
    '../_base_/models/meta_spikeformer_kd.py',
    '../_base_/datasets/imagenet_bs128_sdtv2.py',
    '../_base_/schedules/imagenet_bs192_lamb_sdtv2-t4.py',
    '../_base_/default_runtime.py',
]

model = dict(backbone=dict(arch=dict(preset='55m'), T=4), head=dict(in_channels=640))
train_dataloader = dict(batch_size=24)
load_from = 'work_dirs/sdtv2-55m-kd_t1_8xb128-200e_in1k/epoch_200.pth'  # where tools/train.py puts the run at T=1
