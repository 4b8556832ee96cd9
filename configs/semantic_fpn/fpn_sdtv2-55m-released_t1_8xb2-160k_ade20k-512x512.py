# For weights of the released code: 61.5 M parameters.
_base_ = './fpn_sdtv2-55m_t1_8xb2-160k_ade20k-512x512.py'

model = dict(decode_head=dict(channels=256))
