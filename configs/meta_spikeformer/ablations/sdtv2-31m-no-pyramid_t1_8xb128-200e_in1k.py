# Stage 4 = stage 3: its two blocks have the width of stage 3 and no convolution in front of them.
_base_ = '../sdtv2-31m_t1_8xb128-200e_in1k.py'

model = dict(
    backbone=dict(
        arch=dict(
            embed_dims=(48, 96, 192, 384),
            depths=(1, 1, 2, 8),
            blocks=('conv', 'conv', 'conv', 'transformer'),
            strides=(2, 2, 2, 2))),
    head=dict(in_channels=384))
