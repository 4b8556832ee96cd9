# All four steps run through neck and head, as one would on a neuromorphic chip: both cost four times what they do on
# the mean potential, and time ends in the head.
_base_ = './fpn_sdtv2-15m_t4_8xb2-160k_ade20k-512x512.py'

model = dict(backbone=dict(time_reduction=None))
