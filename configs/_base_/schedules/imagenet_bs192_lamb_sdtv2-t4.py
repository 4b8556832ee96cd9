# From T=1 to T=4: 8 GPUs x 24 images, 5 of 50 epochs are warm-up. The released script has 50, the paper says 20: for
# those, set T_max=15, end=20 in the cosine and max_epochs=20. The reference trains and tests in fp16: add --amp.

# lr = blr * batch / 256 = 2e-5 * 192 / 256 = 1.5e-5
optim_wrapper = dict(
    optimizer=dict(
        type='Lamb', lr=2e-5 * 192 / 256, betas=(0.9, 0.999), eps=1e-6, weight_decay=0.05, trust_clip=True),
    paramwise_cfg=dict(flat_decay_mult=0.0))  # no decay, hence no trust ratio, where ndim == 1: biases, norm layers

# As imagenet_bs1024_lamb_sdtv2.py, whose comments say why it is written so.
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=1e-12,
        by_epoch=True,
        begin=0,
        end=5 + 1.5 / 6672,  # 1281167 // 192 = 6672 iterations an epoch
        convert_to_iter_based=True),
    dict(
        type='CosineAnnealingLR',
        T_max=45,
        eta_min=1e-6,
        by_epoch=True,
        begin=5,
        end=50,
        convert_to_iter_based=True),
]

train_cfg = dict(by_epoch=True, max_epochs=50, val_interval=1)
val_cfg = dict()
test_cfg = dict()

auto_scale_lr = dict(base_batch_size=192)
