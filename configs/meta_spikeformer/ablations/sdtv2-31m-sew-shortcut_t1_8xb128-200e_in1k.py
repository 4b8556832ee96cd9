_base_ = '../sdtv2-31m_t1_8xb128-200e_in1k.py'

# The backbone's outputs are sums of spikes here, not membrane potentials, and already what a linear layer can read. A
# LIF on their mean over space would be silent wherever it is below 2: the head reads the mean as it is.
model = dict(backbone=dict(shortcut='sew'), head=dict(neuron=None))
