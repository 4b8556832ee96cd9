"""Measuring a model: what is refused, which graph is counted, and that batches do not change a sample's count."""

import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import DefaultScope
from mmpretrain.models import AverageClsScoreTTA
from spikingjelly.activation_based.neuron import IFNode
from torch import nn

from spikemm.analysis.inputs import build_model, random_batch
from spikemm.analysis.measure import Meter, measure
from spikemm.models.reparameterize import reparameterize
from spikemm.neurons import LIF

BACKBONE = dict(
    type='spikemm.MetaSpikeFormer', arch='nano', T=2, neuron=dict(type='LIF', v_threshold=0.05))  # random weights fire
CLASSIFIER = dict(
    default_scope='mmpretrain',
    model=dict(
        type='ImageClassifier', backbone=BACKBONE,
        head=dict(
            type='spikemm.SpikeLinearClsHead', num_classes=2, in_channels=96,
            neuron=dict(type='LIF', v_threshold=0.05))),
    data_preprocessor=dict(num_classes=2, mean=[127.0] * 3, std=[60.0] * 3))
SEGMENTOR = dict(
    default_scope='mmseg',
    model=dict(
        type='EncoderDecoder', backbone=dict(BACKBONE, out_indices=(1, 3), time_reduction='mean'),
        data_preprocessor=dict(
            type='SegDataPreProcessor', mean=[127.0] * 3, std=[60.0] * 3, test_cfg=dict(size_divisor=32)),
        decode_head=dict(
            type='FCNHead', in_channels=96, in_index=1, channels=8, num_convs=1, num_classes=3, align_corners=False,
            loss_decode=dict(type='CrossEntropyLoss')),
        test_cfg=dict(mode='whole')))


INPUT = torch.tensor([[0.5, 1.25, 1.5, 2.0]])


class Net(nn.Module):
    """One layer in front of a neuron and one behind it."""

    def __init__(self):
        super().__init__()
        self.first, self.neuron, self.second = nn.Linear(4, 8, bias=False), LIF(), nn.Linear(8, 2, bias=False)
        nn.init.constant_(self.first.weight, 1.0)

    def forward(self, x):
        return self.second(self.neuron(self.first(x).expand(2, *x.shape[:-1], 8)))  # two time steps


@pytest.fixture(scope='module', params=[CLASSIFIER, SEGMENTOR], ids=['mmpretrain', 'mmseg'])
def task(request):
    """A model, and eight samples of different brightness for it."""
    cfg = Config(request.param)
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        model = build_model(cfg)
    batch = random_batch(cfg.default_scope, (3, 32, 32), 8)
    samples = [
        dict(inputs=(image * ((i + 1) / 8)).to(torch.uint8), data_samples=sample)
        for i, (image, sample) in enumerate(zip(batch['inputs'], batch['data_samples'], strict=True))]
    return model, samples


def batched(samples, size):
    return [pseudo_collate(samples[i:i + size]) for i in range(0, len(samples), size)]


@pytest.mark.parametrize('size', [2, 8])
def test_the_count_of_a_sample_does_not_depend_on_its_batch(task, size):
    model, samples = task
    alone, together = (measure(model, batched(samples, n)).counts for n in (1, size))
    assert 0 < alone.rate < 1 and len(set(alone.sample_acs)) == 8, 'the samples must differ'
    assert together.sample_acs == alone.sample_acs
    assert together.sample_macs == alone.sample_macs
    assert [layer.acs for layer in together.layers] == [layer.acs for layer in alone.layers]


def test_the_folded_network_is_counted_where_there_is_something_to_fold(task):
    model, samples = task
    assert measure(model, batched(samples[:1], 1)).source['graph'] == 'spike'
    assert measure(Net().eval(), [INPUT]).source['graph'] == 'train'
    assert measure(model, batched(samples[:1], 1), graph='train').source['graph'] == 'train'


def test_parameters_are_those_that_were_trained_also_of_a_folded_network(task):
    model, samples = task
    report = measure(model, batched(samples[:1], 1), graph='spike')
    assert report.counts.parameters == sum(p.numel() for p in model.parameters())
    assert int(report.source['parameters of the folded graph']) > report.counts.parameters


def test_a_model_that_was_folded_before_is_named_so(task):
    model, samples = task
    assert measure(reparameterize(model, 'fast'), batched(samples[:1], 1)).source['graph'] == 'fast'


def test_the_given_model_stays_as_it_is(task):
    model, samples = task
    before = {name: id(module) for name, module in model.named_modules()}
    meter = Meter(model, 'spike')
    meter.run(batched(samples[:1], 1)[0])
    assert meter.model is not model
    assert {name: id(module) for name, module in model.named_modules()} == before


def test_operations_are_priced_by_every_convention_the_chosen_one_first():
    report = measure(Net().eval(), [INPUT], convention='paper-sdt-v2', source={'data': 'one sample'})
    assert next(iter(report.energies)) == 'paper-sdt-v2' and len(report.energies) == 3
    # the first layer multiplies 4 x 8 weights once; 8 neurons fire at both steps, and 16 spikes reach 2 weights each
    assert (report.counts.macs, report.counts.acs) == (32, 32)
    assert report.energies['exact'].mj == pytest.approx((32 * 4.6 + 32 * 0.9) / 1e9)
    assert report.source['data'] == 'one sample' and report.source['samples'] == '1'


def test_a_sample_without_spikes_is_not_the_one_that_is_judged():
    net = nn.Sequential(nn.Conv2d(3, 4, 1, bias=False), LIF(), nn.Conv2d(4, 2, 1)).eval()
    nn.init.ones_(net[0].weight)
    dark, bright = torch.zeros(1, 1, 3, 8, 8), torch.ones(1, 1, 3, 8, 8)
    net.insert(0, nn.Flatten(0, 1))
    silent, judged = measure(net, [dark]).audit, measure(net, [dark, bright, dark]).audit
    assert silent.silent == ['3'] and 'provenance' in silent.why
    assert judged.silent == [] and judged.spike_driven and 'provenance' not in judged.why


def test_neurons_that_keep_their_state_start_every_batch_from_rest():
    net = nn.Sequential(nn.Linear(4, 8, bias=False), IFNode(step_mode='m'), nn.Linear(8, 2, bias=False)).eval()
    nn.init.constant_(net[0].weight, 0.1)  # 8 neurons get 0.525 a step: none fires at the first one
    counts = measure(net, [INPUT.expand(3, 1, 4)] * 2).counts
    assert counts.neurons[0].rate_by_step == [0, 1, 0]


def test_a_model_in_training_is_refused():
    with pytest.raises(ValueError, match=r'model must be in evaluation mode, .* call model.eval\(\)'):
        measure(Net(), [INPUT])


def test_augmented_tests_are_refused(task):
    with pytest.raises(ValueError, match='model must be one without test-time augmentation'):
        measure(AverageClsScoreTTA(task[0]).eval(), [])


def test_no_data_is_refused():
    with pytest.raises(ValueError, match='batches must have at least one sample'):
        measure(Net().eval(), [])


@pytest.mark.parametrize('settings', [dict(graph='folded'), dict(convention='paper'), dict(energy_model='5nm')])
def test_unknown_names_are_refused_with_those_that_there_are(settings):
    value, = settings.values()
    with pytest.raises(ValueError, match=rf"must be .* but got '{value}'"):
        measure(Net().eval(), [INPUT], **settings)
