# Stage 1 of the paper, here the first two, has 2C channels at H/4 throughout: one stage of two blocks after a stem of
# stride 4.
_base_ = '../sdtv2-31m_t1_8xb128-200e_in1k.py'

model = dict(
    backbone=dict(
        arch=dict(
            embed_dims=(96, 192, 384, 480),
            depths=(2, 2, 6, 2),
            blocks=('conv', 'conv', 'transformer', 'transformer'),
            strides=(4, 2, 2, 1))))
