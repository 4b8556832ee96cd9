_base_ = [
    '../_base_/models/meta_spikeformer_hardvs.py',
    '../_base_/datasets/cifar10_dvs.py',
    '../_base_/schedules/dvs_bs32_adamw-200e.py',
    '../_base_/default_runtime.py',
]

# Every time step learns the label by itself: the loss of Spike-driven Transformer V1 on CIFAR10-DVS.
model = dict(head=dict(num_classes=10, loss=dict(_delete_=True, type='spikemm.TETLoss', lamb=1e-3, means=1.0)))
