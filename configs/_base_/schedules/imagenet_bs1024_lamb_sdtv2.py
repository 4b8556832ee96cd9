# Meta-SpikeFormer (Spike-driven Transformer V2) at T=1: 8 GPUs x 128 images, 200 epochs, 10 of them warm-up.
# The reference trains and tests in fp16: add --amp to tools/train.py.

# lr = blr * batch / 256 = 6e-4 * 1024 / 256 = 2.4e-3
# Lamb clips the global norm of the gradient at 1 by itself (max_grad_norm), so there is no clip_grad here.
optim_wrapper = dict(
    optimizer=dict(
        type='Lamb', lr=6e-4 * 1024 / 256, betas=(0.9, 0.999), eps=1e-6, weight_decay=0.05, trust_clip=True),
    paramwise_cfg=dict(flat_decay_mult=0.0))  # no decay, hence no trust ratio, where ndim == 1: biases, norm layers

# lr(e) = 2.4e-3 * e / 10 up to epoch 10, then 1e-6 + (2.4e-3 - 1e-6) * (1 + cos(pi * (e - 10) / 190)) / 2,
# with fractional epochs e, that is, in every iteration.
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=1e-12,  # the first iteration has lr 0; LinearLR divides by its start_factor
        by_epoch=True,
        begin=0,
        # LinearLR is at the full lr in its LAST iteration, the reference in the first one after the 10 epochs. So
        # end = 10 epochs + 1 iteration; 1.5 because mmengine rounds down, 1251 = 1281167 // 1024 iterations an epoch.
        end=10 + 1.5 / 1251,
        convert_to_iter_based=True),
    dict(
        type='CosineAnnealingLR',
        T_max=190,
        eta_min=1e-6,
        by_epoch=True,
        begin=10,
        end=200,
        convert_to_iter_based=True),
]

train_cfg = dict(by_epoch=True, max_epochs=200, val_interval=1)
val_cfg = dict()
test_cfg = dict()

auto_scale_lr = dict(base_batch_size=1024)  # for --auto-scale-lr; keeps blr when the batch differs
