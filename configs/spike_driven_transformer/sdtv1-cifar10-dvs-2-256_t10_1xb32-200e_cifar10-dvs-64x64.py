_base_ = [
    '../_base_/models/spike_driven_transformer_events.py',
    '../_base_/datasets/cifar10_dvs.py',
    '../_base_/schedules/dvs_bs32_adamw-200e.py',
    '../_base_/default_runtime.py',
]

model = dict(head=dict(loss=dict(type='spikemm.TETLoss', lamb=1e-3, means=1.0)))  # every time step learns the label
