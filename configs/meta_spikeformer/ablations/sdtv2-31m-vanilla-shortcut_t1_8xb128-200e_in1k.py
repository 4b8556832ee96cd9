# In the paper this one did not converge.
_base_ = '../sdtv2-31m_t1_8xb128-200e_in1k.py'

# The backbone's outputs are spikes here, not membrane potentials. Their mean over space is at most 1, and a LIF, which
# halves its input, would never reach its threshold: the head reads the mean as it is.
model = dict(backbone=dict(shortcut='vanilla'), head=dict(neuron=None))
