"""SpikingJelly's surrogate functions under their own names: ``surrogate=dict(type='ATan', alpha=2.0)``."""

from spikingjelly.activation_based import surrogate

from spikemm.registry import SURROGATES

for _cls in (
    surrogate.ATan,
    surrogate.Erf,
    surrogate.LeakyKReLU,
    surrogate.PiecewiseExp,
    surrogate.PiecewiseLeakyReLU,
    surrogate.PiecewiseQuadratic,
    surrogate.QPseudoSpike,
    surrogate.Rect,
    surrogate.S2NN,
    surrogate.Sigmoid,
    surrogate.SoftSign,
    surrogate.SuperSpike,
):
    SURROGATES.register_module(module=_cls)
