"""An energy report of three layers and two layers of neurons whose figures are worked out by hand."""

from spikemm.analysis import (
    Audit,
    Counts,
    EnergyReport,
    Finding,
    LayerCount,
    LayerVerdict,
    NeuronCount,
    Unknown,
    energy_of,
)

NAMES = {'conv': 'backbone.stages.0.stem', 'product': 'backbone.stages.1.attn.product_1', 'linear': 'head.fc'}


def layer(name, kind, *, dense, rate, real=False, encoding=False, steps=2):
    """A layer that reads spikes, whose accumulates are ``dense * rate``, or real numbers."""
    macs, acs = (dense, 0.0) if real else (0.0, dense * rate)
    return LayerCount(
        name, kind, name.rpartition('.')[0], 'real' if real else 'binary', encoding, steps, dense, macs, acs, 0.0,
        [acs / steps] * steps, 0.0, rate, rate, [rate] * steps)


def tiny_report(*, fires=True, unknown=False, title='tiny', parameters=1000, checkpoint='tiny.pth', **settings):
    """1000 MACs of data, computed once for 2 time steps, and 4000 and 200 accumulates: 4.6 + 3.6 + 0.18 nJ."""
    layers = [
        layer(NAMES['conv'], 'conv', dense=1000.0, rate=0.3, real=True, encoding=True, steps=1),
        layer(NAMES['product'], 'product', dense=16000.0, rate=0.25),
        layer(NAMES['linear'], 'linear', dense=2000.0, rate=0.1)]
    rates = [0.25, 0.75] if fires else [0.0, 0.0]
    neurons = [NeuronCount(f'backbone.stages.1.{name}_neuron', 'LIF', 'backbone.stages.1', 64.0, rates, 8, 3, 1.0)
               for name in 'qk']  # fmt: skip
    counts = Counts(
        layers, neurons, [Unknown('head.odd', 'aten.frobnicate')] * unknown, {'neuron': 128.0}, 2, parameters,
        [1000.0, 1000.0], [4000.0, 4400.0])
    verdicts = [LayerVerdict(c.name, c.stage, 'encoding' if c.encoding else 'spike', '0 and 1') for c in layers]
    return EnergyReport(
        title, {'config': 'tiny.py', 'checkpoint': checkpoint, 'data': 'two images'}, counts,
        {name: energy_of(counts, name) for name in ('exact', 'paper-sdt-v2', 'paper-spikformer')},
        Audit('spike-driven', '2 of 3 layers read spikes', verdicts, [], [Finding('head', 'mean', 'a constant')]),
        **settings)
