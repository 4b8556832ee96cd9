# The paper does not give the widths of its fully convolutional network of 36.0 M parameters. A convolutional block has
# nearly five times the parameters of a transformer block of the same width, so the last two stages must be narrower
# than 384 and 480; 204 and 244 were chosen for the parameter count.
_base_ = '../sdtv2-31m_t1_8xb128-200e_in1k.py'

model = dict(
    backbone=dict(
        arch=dict(embed_dims=(48, 96, 192, 204, 244), blocks=('conv', 'conv', 'conv', 'conv', 'conv'))),
    head=dict(in_channels=244))
