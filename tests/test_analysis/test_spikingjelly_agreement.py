"""Our counts against those of SpikingJelly's counters: equal layer by layer, or different for a known reason."""

import inspect
from collections import Counter
from collections.abc import Callable

import pytest
import torch
from mmdet.registry import MODELS as DETECTORS
from mmengine.config import ConfigDict
from mmengine.registry import DefaultScope
from small_nets import strengthen
from small_tasks import SIZES, images, mask_rcnn, semantic_fpn
from spikingjelly.activation_based import functional, neuron, surrogate
from spikingjelly.activation_based.model.ms_resnet import MSResNet
from spikingjelly.activation_based.model.sew_resnet import sew_resnet18
from spikingjelly.activation_based.model.spike_driven_transformer import SpikeDrivenTransformer
from spikingjelly.activation_based.model.spikformer import Spikformer
from spikingjelly.activation_based.op_counter import BaseCounter, DispatchCounterMode, MACCounter, SynOpCounter
from torch import Tensor, nn

from spikemm.analysis.counter import LARGEST_INTEGER, OperationCounter
from spikemm.analysis.counts import Counts
from spikemm.models import reparameterize
from spikemm.models.backbones import MetaSpikeFormer, SpikingBackbone
from spikemm.models.selfsup import MaskedSpikformerV2
from spikemm.registry import MODELS

aten = torch.ops.aten
SAMPLES = 2
BACKBONES = sorted(
    {cls for cls in MODELS.module_dict.values()
     if inspect.isclass(cls) and issubclass(cls, SpikingBackbone) and cls is not MaskedSpikformerV2},
    key=lambda cls: cls.__name__)


def spikes_in(x: Tensor) -> list[Tensor] | None:
    """``x`` as a sum of spike tensors: itself, where it is not 0 (one other number), or one for each unit of integers.

    None of real numbers. SpikingJelly's counters take the first alone for spikes; ours take all three.
    """
    numbers = x.unique()
    if len(numbers) == 1 or (len(numbers) == 2 and 0 in numbers):
        return [x.ne(0).float()]
    if x.eq(x.round()).all() and x.abs().max() <= LARGEST_INTEGER:
        return [x.abs().gt(unit).float() for unit in range(int(x.abs().max()))]
    return None


class ByLayer:
    """Mixed into a counter of SpikingJelly: results by layer, and integers counted as that many spikes."""

    def __init__(self, weights: dict[int, str], **kwargs) -> None:
        super().__init__(**kwargs)
        self.weights, self.layers = weights, Counter()

    def count(self, func, args, kwargs, out, **context) -> int:
        at = 1 if func in (aten.addmm.default, aten.baddbmm.default) else 0
        owners = [self.weights.get(x.untyped_storage().data_ptr()) for x in args[at:at + 2]]
        value = self.of_spikes(func, args, kwargs, out, {at + i for i in range(2) if owners[i] is None})
        self.layers[next((owner for owner in owners if owner), 'product')] += value
        return value


class ACs(ByLayer, SynOpCounter):
    def of_spikes(self, func, args, kwargs, out, activations: set[int]) -> int:
        parts = {i: spikes_in(args[i]) for i in activations}
        once = {i: spikes[0] for i, spikes in parts.items() if spikes and len(spikes) == 1}
        if once:  # spikes against numbers, or against spikes
            args = [once.get(i, x) for i, x in enumerate(args)]
            return SynOpCounter.count(self, func, args, kwargs, func(*args, **kwargs))
        costs = [
            sum(SynOpCounter.count(self, func, [*args[:i], unit, *args[i + 1:]], kwargs, out) for unit in spikes)
            for i, spikes in parts.items() if spikes]
        return min(costs, default=0)


class MACs(ByLayer, MACCounter):
    def __init__(self, weights: dict[int, str]) -> None:
        super().__init__(weights)
        del self.rules[aten.native_batch_norm.default]  # norms are elementwise for us

    def of_spikes(self, func, args, kwargs, out, activations: set[int]) -> int:
        if any(spikes_in(args[i]) is not None for i in activations):
            return 0
        return MACCounter.count(self, func, args, kwargs, out)


def spikingjelly(run: Callable, *counters: BaseCounter) -> None:
    with torch.no_grad(), DispatchCounterMode(list(counters)):
        run()


def ours(net: nn.Module, run: Callable) -> Counts:
    with torch.no_grad(), OperationCounter(net) as counter:
        run()
    return counter.counts()


def assert_same(net: nn.Module, run: Callable, samples: int = SAMPLES) -> Counts:
    """Every layer of ``net``, and all products together, cost the same by both; ``run`` starts from rest."""
    weights = {p.untyped_storage().data_ptr(): name.removesuffix('.weight') for name, p in net.named_parameters()}
    macs, acs = MACs(weights), ACs(weights)
    spikingjelly(run, macs, acs)
    counts = ours(net, run)
    assert not counts.unknown
    for theirs, key in ((macs, 'macs'), (acs, 'acs')):
        of_layers: Counter[str] = Counter()
        for layer in counts.layers:
            if layer.type != 'sum':
                of_layers['product' if layer.type == 'product' else layer.name] += samples * getattr(layer, key)
        assert dict(of_layers) == dict(theirs.layers)
    return counts


def assert_fires(counts: Counts) -> None:
    assert counts.acs > 0 and not any(n.rate == 0 for n in counts.neurons), 'silent network, agreement proves nothing'


def frames(size: int = 32, T: int | None = None) -> Tensor:
    shape = (SAMPLES, 3, size, size) if T is None else (T, SAMPLES, 3, size, size)
    return torch.randn(shape, generator=torch.Generator().manual_seed(0)) * 3


WIDE = {(MetaSpikeFormer, '31m'), (MetaSpikeFormer, '55m')}  # '15m' with more channels: seconds for nothing new


PRESETS = {
    (cls, arch) for cls in BACKBONES for arch in getattr(cls, 'ARCHS', [None])
    if arch in (None, 'nano') or cls is MetaSpikeFormer} - WIDE  # of others the presets differ in width and depth


@pytest.mark.parametrize('cls, arch', sorted(PRESETS, key=str))
def test_every_preset_of_every_backbone(cls, arch):
    assert arch is not None, f'{cls.__name__} has no ARCHS: tell this test how to build it'
    net, x = strengthen(cls(arch, T=2)).eval(), frames()
    assert_fires(assert_same(net, lambda: net(x)))


@pytest.mark.parametrize('graph', ['train', 'spike', 'fast'])
@pytest.mark.parametrize('shortcut', ['membrane', 'vanilla', 'sew'])
@pytest.mark.parametrize('sdsa', [1, 2, 3, 4])
@pytest.mark.parametrize('T', [1, 2])
def test_every_graph_attention_and_shortcut(graph, shortcut, sdsa, T):
    net, x = strengthen(MetaSpikeFormer('nano', T=T, sdsa=sdsa, shortcut=shortcut)).eval(), frames()
    if graph != 'train':
        net = reparameterize(net, graph)
    assert_fires(assert_same(net, lambda: net(x)))


def test_a_sequence_whose_first_layer_runs_at_every_step():
    net, x = strengthen(MetaSpikeFormer('nano')).eval(), frames(T=3)
    counts = assert_same(net, lambda: net(x))
    assert_fires(counts)
    assert (counts.T, counts.layers[0].encoding, counts.layers[0].steps) == (3, True, 3)


STOCK = dict(spiking_neuron=neuron.IFNode, surrogate_function=surrogate.ATan(), num_classes=5)
SMALL = dict(T=2, num_classes=5, embed_dims=64, num_heads=4, depths=1)
ZOO = {
    'SEW-ResNet': lambda: sew_resnet18(cnf='ADD', **STOCK),
    'SEW-ResNet, AND': lambda: sew_resnet18(cnf='AND', **STOCK),
    'MS-ResNet': lambda: MSResNet(T=2, num_classes=5, layers=(1, 1, 1, 1), base_channels=8),
    'Spikformer': lambda: Spikformer(img_size_h=32, img_size_w=32, **SMALL),
    'Spike-driven Transformer': lambda: SpikeDrivenTransformer(**SMALL)}


@pytest.mark.parametrize('name', ZOO)
def test_every_family_of_spikingjellys_zoo(name):
    net = strengthen(ZOO[name]()).eval()
    functional.set_step_mode(net, 'm')
    x = frames(T=2 if 'SEW' in name else None)

    def from_rest():
        functional.reset_net(net)
        net(x)

    assert assert_same(net, from_rest).acs > 0, 'silent network'


TASKS = {
    'Mask R-CNN': ('mmdet', mask_rcnn),
    'Mask R-CNN, stock heads': ('mmdet', lambda: mask_rcnn(spiking=False)),
    'Semantic FPN': ('mmseg', semantic_fpn),
    'Semantic FPN, stock head': ('mmseg', lambda: semantic_fpn(spiking=False))}


@pytest.mark.parametrize('graph', ['train', 'spike'])
@pytest.mark.parametrize('name', TASKS)
def test_detection_and_segmentation(name, graph):
    scope, config = TASKS[name]
    with DefaultScope.overwrite_default_scope(scope):
        net = strengthen(DETECTORS.build(ConfigDict(config()))).eval()
    for key, parameter in net.named_parameters():
        if '_cls.' in key or '_reg.' in key:
            parameter.data /= 50  # boxes near their anchors
    if graph != 'train':
        net = reparameterize(net, graph)
    batch = images((3, 1), SIZES[:1] * SAMPLES)
    data = dict(
        inputs=batch['inputs'], data_samples=batch['detection' if scope == 'mmdet' else 'segmentation'])
    counts = assert_same(net, lambda: net.test_step(data))
    assert counts.acs > 0, 'silent network'
    if scope == 'mmdet':
        assert any('roi_head.mask_head' in layer.name for layer in counts.layers), 'no region, no mask'


# What the two count differently.


def plain(net: nn.Module, x: Tensor) -> tuple[int, int]:
    """MACs and ACs by SpikingJelly's counters as they are, and nothing of norms."""
    macs, acs = MACCounter(), SynOpCounter()
    spikingjelly(lambda: net(x), macs, acs)
    return macs.get_total(), acs.get_total()


def cost(net: nn.Module, x: Tensor) -> tuple[float, float]:
    counts = ours(net.eval(), lambda: net(x))
    return counts.macs * len(x), counts.acs * len(x)


def test_integers_are_additions_for_us_and_multiplications_for_spikingjelly():
    net, x = nn.Linear(4, 10, bias=False), torch.tensor([[0.0, 1, 2, 3]])
    assert plain(net, x) == (4 * 10, 0)
    assert cost(net, x) == (0, (1 + 2 + 3) * 10)


def test_spikes_of_another_size_are_additions_for_us_and_multiplications_for_spikingjelly():
    net, x = nn.Linear(4, 10, bias=False), torch.tensor([[0.0, 0.25, 0, 0.25]])
    assert plain(net, x) == (4 * 10, 0)
    assert cost(net, x) == (0, 2 * 10)


def test_spikingjelly_leaves_biases_out_and_we_count_them_apart():
    net, x = nn.Linear(4, 10), torch.tensor([[0.0, 1, 1, 0]])
    assert plain(net, x) == cost(net, x) == (0, 2 * 10)
    assert ours(net, lambda: net(x)).bias == 10


def test_spikingjelly_leaves_the_sums_of_sdsa_1_out():
    net, x = strengthen(MetaSpikeFormer('nano', sdsa=1)).eval(), frames()
    counts = ours(net, lambda: net(x))
    sums = sum(layer.acs for layer in counts.layers if layer.type == 'sum')
    assert sums > 0
    assert plain(net, x)[1] == SAMPLES * (counts.acs - sums)


def test_spikingjelly_leaves_softmax_attention_out():
    class Attention(nn.Module):
        def forward(self, x):
            return nn.functional.scaled_dot_product_attention(x, x, x)

    x = torch.randn(1, 2, 6, 4)  # heads, tokens, channels
    assert plain(Attention(), x) == (0, 0)
    assert cost(Attention(), x) == (2 * 2 * 6 * 6 * 4, 0)
