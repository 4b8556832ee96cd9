"""What the audit says of small networks, each with one thing that makes it spike-driven or not."""

import pytest
import torch
import torch.nn.functional as F
import torchvision
from torch import nn
from torch.multiprocessing.reductions import StorageWeakRef

from spikemm.analysis.audit import Audit, audit
from spikemm.analysis.counter import OperationCounter
from spikemm.analysis.trace import Trace, Values
from spikemm.models import MetaSpikeFormer, reparameterize
from spikemm.neurons import LIF, Integer

NANO = dict(embed_dims=(8, 16, 24, 32, 40), num_heads=4, depths=(1, 1, 1, 1, 1))
STAGES = [f'stages.{i}.1.mixer.branch' for i in range(5)]


def meta(**options):
    """A MetaSpikeFormer in which every neuron fires."""
    torch.manual_seed(0)
    net = MetaSpikeFormer(arch=NANO, T=2, **options)
    for p in net.parameters():
        p.data = torch.randn(p.shape) * 3 / p[0].numel() ** 0.5 if p.ndim > 1 else torch.rand(p.shape) + 0.5
    return net.eval()


def audited(net, x=None):
    torch.manual_seed(1)
    x = torch.randn(1, 3, 32, 32) if x is None else x
    return audit(net, lambda: net(x))


class Net(nn.Module):
    """A layer that reads data, neurons, what a test puts in between, and a layer that reads that."""

    def __init__(self, between, neuron=None):
        super().__init__()
        torch.manual_seed(0)
        self.stem, self.other, self.inner = (nn.Conv2d(i, 4, 3, padding=1, bias=False) for i in (3, 4, 4))
        self.neuron, self.side, self.norm = neuron or LIF(), LIF(), nn.BatchNorm2d(4)
        self.norm.bias.data.fill_(0.1)
        self.constants = torch.tensor([0.5, 1, 2, 3])[:, None, None]
        self.head = nn.Conv2d(4, 2, 1)
        self.between = between

    def forward(self, x):
        x = 4 * self.stem(x)
        spikes, side = self.neuron(x[None])[0], self.side(x.roll(1, 1)[None])[0]
        assert spikes.mean() > 0 and side.mean() > 0, 'silent network, the test would prove nothing'
        return F.softmax(self.head(self.between(self, spikes, side)), 1)

    def gate(self, x):
        return self.inner(x).sigmoid() * self.other(x)


def judged(between, neuron=None):
    """The audit, and the verdict of the last layer."""
    found = audited(Net(between, neuron).eval(), torch.randn(2, 3, 8, 8))
    return found, found.layers[-1]


def test_the_training_graph_is_not_spike_driven_and_the_layers_inside_repconv_and_sepconv_are_why():
    found = audited(meta())
    assert found.verdict == 'not spike-driven' and not found.spike_driven
    inside = [f'{stage}.pw2.conv' for stage in STAGES[:3]]
    inside += [f'{stage}.{x}.{layer}' for stage in STAGES[3:] for x in 'qkv' for layer in ('dw', 'pw')]
    inside += [f'{stage}.proj.{layer}' for stage in STAGES[3:] for layer in ('dw', 'pw')]
    assert {layer.name for layer in found.layers if layer.verdict == 'real'} == set(inside)


def test_why_names_the_layer_before_the_operations_between_and_the_block_to_merge():
    why = {layer.name: layer.why for layer in audited(meta()).layers}['stages.3.1.mixer.branch.q.dw']
    assert 'the output of conv stages.3.1.mixer.branch.q.conv' in why
    assert 'batch norm, a constant added' in why and 'merging the two layers of this RepConvBN' in why


def test_the_spike_graph_is_spike_driven_and_only_the_stem_encodes():
    found = audited(reparameterize(meta(), 'spike'))
    assert found.spike_driven and not found.findings
    assert [layer.name for layer in found.layers if layer.verdict == 'encoding'] == ['stages.0.0.conv.layer']
    assert {layer.values for layer in found.layers[1:]} == {'0 and 1'}


def test_the_scale_in_front_of_the_attention_neuron_is_a_fold_as_are_batch_norms():
    folds = audited(meta()).folds
    assert [fold.name for fold in folds if 'scaled by 0.125' in fold.why] == STAGES[3:]
    assert 'weights of conv stages.0.0.conv.conv' in next(f.why for f in folds if f.name == 'stages.0.0.conv.bn')


def test_the_fast_graph_is_not_spike_driven():
    assert audited(reparameterize(meta(), 'fast')).verdict == 'not spike-driven'


@pytest.mark.parametrize('sdsa', [1, 2, 3, 4])
def test_every_spike_driven_attention_is(sdsa):
    assert audited(reparameterize(meta(sdsa=sdsa), 'spike')).spike_driven


def test_sew_shortcuts_make_integers():
    found = audited(reparameterize(meta(shortcut='sew'), 'spike'))
    assert found.verdict == 'integer-driven'
    layer = next(layer for layer in found.layers if layer.verdict == 'integer')
    assert 'a sum of spikes' in layer.why and layer.name in found.why


def test_vanilla_shortcuts_keep_spikes():
    assert audited(reparameterize(meta(shortcut='vanilla'), 'spike')).spike_driven


def test_layers_have_the_names_of_the_counter():
    net, x = meta(), torch.randn(1, 3, 32, 32)
    with torch.no_grad(), OperationCounter(net) as counter:
        net(x)
    assert [layer.name for layer in audited(net).layers] == [layer.name for layer in counter.counts().layers]


@pytest.mark.parametrize(('between', 'verdict', 'word'), [
    (lambda net, s, t: s, 'spike', ''),
    (lambda net, s, t: F.max_pool2d(s, 2), 'spike', ''),
    (lambda net, s, t: F.interpolate(s, scale_factor=2, mode='nearest'), 'spike', ''),
    (lambda net, s, t: torch.cat([s, t])[:, [3, 1, 0, 2]].flip(-1), 'spike', ''),
    (lambda net, s, t: s * t, 'spike', ''),
    (lambda net, s, t: s * (1 - t), 'spike', ''),
    (lambda net, s, t: s * 0.125, 'spike', 'scaled by 0.125'),
    (lambda net, s, t: s / 4, 'spike', 'divided by 4'),
    (lambda net, s, t: s * net.constants, 'spike', 'scaled by constants'),
    (lambda net, s, t: F.avg_pool2d(s, 2), 'spike', 'average pool'),
    (lambda net, s, t: s.mean((-2, -1), keepdim=True), 'spike', 'mean'),
    (lambda net, s, t: F.interpolate(s, scale_factor=2, mode='bilinear'), 'spike', 'bilinear resizing'),
    (lambda net, s, t: s + s.new_zeros(s.shape), 'spike', 'a constant added'),
    (lambda net, s, t: s + t, 'integer', 'sum of spikes'),
    (lambda net, s, t: s @ t, 'integer', 'product product_1'),
    (lambda net, s, t: F.avg_pool2d(s + t, 2), 'integer', 'sum of spikes, average pool'),
    (lambda net, s, t: (net.inner(s) > 0).float(), 'spike', 'which makes spikes as neurons do'),
    (lambda net, s, t: torch.heaviside(net.inner(s), s.new_zeros(())), 'spike', 'which makes spikes as neurons do'),
    (lambda net, s, t: net.inner(s).clamp(0, 4).round(), 'integer', 'rounding'),
    (lambda net, s, t: net.inner(s).sign(), 'integer', 'rounding'),
    (lambda net, s, t: s.clone().transpose_(2, 3).squeeze_().view_as(s), 'spike', ''),
    (lambda net, s, t: s + 0.123, 'real', 'a constant added'),
    (lambda net, s, t: s.masked_fill(t > 0, 0.3), 'real', 'among numbers from elsewhere'),
    (lambda net, s, t: net.norm(s), 'real', 'batch norm'),
    (lambda net, s, t: net.inner(s), 'real', 'conv inner'),
    (lambda net, s, t: net.inner(s).relu(), 'real', 'ReLU'),
    (lambda net, s, t: net.inner(s) + t, 'real', 'added to the output of neuron side'),
    (lambda net, s, t: F.max_pool2d(net.inner(s), 2), 'real', 'conv inner'),
    (lambda net, s, t: net.inner(s).softmax(1), 'real', 'softmax'),
    (lambda net, s, t: net.gate(s), 'real', 'multiplied by'),
    (lambda net, s, t: F.gelu(net.inner(s)), 'real', 'GELU'),
    (lambda net, s, t: F.layer_norm(s, s.shape[1:]), 'real', 'layer norm')])
def test_a_layer_is_judged_by_what_stands_between_it_and_the_neurons(between, verdict, word):
    _, layer = judged(between)
    assert (layer.name, layer.verdict) == ('head', verdict)
    assert word in layer.why and (word or not layer.why)


@pytest.mark.parametrize(('between', 'ops'), [
    (lambda net, s, t: net.side(net.inner(s)), []),
    (lambda net, s, t: net.side(net.inner(s).relu()), []),
    (lambda net, s, t: net.side(net.norm(net.inner(s)) * 0.5 + s), []),
    (lambda net, s, t: net.side(net.inner(s) * t), []),
    (lambda net, s, t: net.side(F.interpolate(net.inner(s), scale_factor=2, mode='bilinear')), []),
    (lambda net, s, t: net.side(net.inner(s).mean((-2, -1), keepdim=True)), []),
    (lambda net, s, t: net.side(net.gate(s)), ['sigmoid', 'mul']),
    (lambda net, s, t: net.side(net.inner(s) * net.inner(s)), ['mul']),
    (lambda net, s, t: net.side(F.avg_pool2d(s, 2) * F.avg_pool2d(t, 2)), ['mul']),
    (lambda net, s, t: net.side(F.layer_norm(net.inner(s), s.shape[1:])), ['layer norm']),
    (lambda net, s, t: net.side(net.inner(s).tanh()), ['tanh']),
    (lambda net, s, t: net.side(net.inner(s) / t.mean()), ['div'])])
def test_what_is_done_to_potentials_before_a_neuron_breaks_the_property_where_constants_cannot(between, ops):
    found, layer = judged(between)
    assert layer.verdict == 'spike'
    assert [finding.op for finding in found.findings] == ops
    assert found.verdict == ('not spike-driven' if ops else 'spike-driven')


def test_the_softmax_of_the_scores_and_what_stands_before_the_first_neuron_are_no_findings():
    found, _ = judged(lambda net, s, t: s)
    assert found.spike_driven and not found.findings


def test_a_product_with_spikes_is_spike_driven_and_one_of_real_numbers_is_not():
    def attend(net, s, t, f):
        q, k = (x.flatten(2) for x in (s, t))
        return net.side(f(q @ k.transpose(1, 2)) @ k).unflatten(2, s.shape[2:])

    found, _ = judged(lambda net, s, t: attend(net, s, t, lambda x: x))
    assert {layer.name: layer.verdict for layer in found.layers}['product_2'] == 'spike' and found.spike_driven
    found, _ = judged(lambda net, s, t: attend(net, s, t, lambda x: x.softmax(-1)))
    assert [finding.op for finding in found.findings] == ['softmax'] and not found.spike_driven
    found, _ = judged(lambda net, s, t: attend(net, net.inner(s), net.inner(t), lambda x: x))
    assert [layer.verdict for layer in found.layers if 'product' in layer.name] == ['real', 'real']


def test_the_layers_of_torchs_attention_are_judged_although_it_has_a_fast_path():
    def attend(net, s, t):
        tokens = s.flatten(2).mT
        return net.attention(tokens, tokens, tokens)[0].mT.unflatten(2, s.shape[2:])

    net = Net(attend)
    net.attention = nn.MultiheadAttention(4, 2, batch_first=True)
    found = audited(net.eval(), torch.randn(2, 3, 8, 8))
    assert {layer.name: layer.verdict for layer in found.layers}['attention.in_proj_weight'] == 'spike'
    assert 'softmax' in {finding.op for finding in found.findings}


def test_what_spikes_chose_is_no_data():
    _, layer = judged(lambda net, s, t: F.one_hot(net.inner(s).argmax(1), 4).permute(0, 3, 1, 2).float())
    assert layer.verdict == 'real' and 'a choice by' in layer.why


def test_softmax_attention_is_real():
    def attend(net, s, t):
        q = s.flatten(2)[:, None]
        return net.side(F.scaled_dot_product_attention(q, q, q)[:, 0].unflatten(2, s.shape[2:]))

    found, _ = judged(attend)
    layer = next(layer for layer in found.layers if layer.name == 'product_1')
    assert layer.verdict == 'real' and 'softmax' in layer.why and not found.spike_driven
    assert 'attention' in {finding.op for finding in found.findings}


def test_an_integer_neuron_makes_the_model_integer_driven():
    found, layer = judged(lambda net, s, t: s, Integer(levels=3))
    assert found.verdict == 'integer-driven'
    assert layer.values == 'integers 0 to 3' and 'neuron neuron (integers 0 to 3)' in layer.why


def test_a_neuron_of_quarters_sends_counts_with_a_factor_and_one_of_potentials_real_numbers():
    class Node(Integer):
        def __init__(self, send):
            super().__init__(levels=4)
            self._count = send

    _, layer = judged(lambda net, s, t: s, Node(lambda x: x.clamp(0, 4).round() / 4))
    assert (layer.verdict, layer.values) == ('integer', '0 to 1')
    _, layer = judged(lambda net, s, t: s, Node(lambda x: x.relu()))
    assert layer.verdict == 'real' and 'reads the output of neuron neuron (0 to' in layer.why


def test_a_deformable_convolution_reads_real_numbers():
    def between(net, s, t):
        offset = torch.zeros(len(s), 18, *s.shape[2:])
        return net.side(torchvision.ops.deform_conv2d(s, offset, net.inner.weight, padding=1))

    found, _ = judged(between)
    assert {layer.name: layer.verdict for layer in found.layers}['inner'] == 'real'
    assert [finding.op for finding in found.findings] == ['deform_conv2d']


def test_the_history_survives_views_writes_in_place_and_copies():
    def between(net, s, t):
        buffer = s.new_zeros(s.shape)
        buffer[:, :2] = s[:, :2]
        buffer[:, 2:].copy_(net.inner(s)[:, 2:].relu_())
        return buffer.permute(0, 1, 3, 2).contiguous().clone()

    _, layer = judged(between)
    assert layer.verdict == 'real' and 'conv inner' in layer.why


def test_writing_into_a_part_leaves_the_rest_as_it_was():
    def between(net, s, t):
        buffer = net.inner(s)
        buffer[:, 1:].copy_(s[:, 1:])
        return buffer

    _, layer = judged(between)
    assert layer.verdict == 'real' and 'conv inner' in layer.why


def test_a_layer_that_is_called_twice_has_its_dearest_verdict_and_all_its_values():
    found, _ = judged(lambda net, s, t: net.side(net.other(s + t) + net.other(s)))
    layer = next(layer for layer in found.layers if layer.name == 'other')
    assert (layer.verdict, layer.values) == ('integer', 'integers 0 to 2')


def test_a_sum_of_spikes_that_never_meet_is_an_integer_all_the_same():
    _, layer = judged(lambda net, s, t: s * (1 - t) + s * t)
    assert (layer.verdict, layer.values) == ('integer', '0 and 1')


def test_layers_in_a_row_before_the_first_neuron_all_encode_and_are_named():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3), LIF(), nn.Flatten(0, 0))
    net = nn.Sequential(*net[:3], nn.Unflatten(0, (1, -1)), LIF(), nn.Flatten(0, 1), nn.Conv2d(4, 2, 1)).eval()
    found = audited(net, 9 * torch.randn(2, 3, 8, 8))
    assert [layer.verdict for layer in found.layers] == ['encoding', 'encoding', 'spike']
    assert found.spike_driven and '2 before the first neuron read the data: 0, 2' in found.why


def test_batch_statistics_are_no_constants():
    net = Net(lambda net, s, t: net.side(net.norm(net.inner(s)))).train()
    assert [finding.op for finding in audited(net, torch.randn(2, 3, 8, 8)).findings] == ['batch norm']


def test_a_silent_layer_is_judged_by_provenance_and_says_so():
    found, layer = judged(lambda net, s, t: net.side(net.inner(s) - 99))
    assert layer.values == 'only 0' and 'no spike reached layer head' in layer.why
    assert found.verdict == 'spike-driven' and 'by provenance only' in found.why


def test_a_network_without_neurons_has_no_spikes():
    found = audited(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 1)))
    assert found.verdict == 'no spikes' and not found.spike_driven
    assert [layer.verdict for layer in found.layers] == ['real', 'real']


def test_a_network_that_compares_outside_of_neurons_is_said_to_read_0_and_1():
    class Step(nn.Module):
        def forward(self, x):
            return (x > 0).float()

    found = audited(nn.Sequential(nn.Conv2d(3, 4, 3), Step(), nn.Conv2d(4, 2, 1)))
    assert found.verdict == 'no spikes' and '2 read 0 and 1: neurons are known' in found.why


@pytest.mark.parametrize('run', [lambda: None, lambda: nn.Conv2d(3, 4, 3)(torch.randn(1, 3, 8, 8))])
def test_a_run_without_a_weight_layer_of_the_model_is_refused(run):
    with pytest.raises(ValueError, match='`run` must do a forward pass'):
        audit(meta(), run)


def test_inference_mode_and_an_input_made_in_the_run_change_nothing():
    net = Net(lambda net, s, t: F.linear(s.mean((-2, -1)), net.inner.weight[:, :, 0, 0])[..., None, None]).eval()
    plain = audited(net, torch.randn(2, 3, 8, 8))
    with torch.inference_mode():
        other = audit(net, lambda: net(torch.randn(2, 3, 8, 8)))
    assert [(x.name, x.verdict) for x in plain.layers] == [(x.name, x.verdict) for x in other.layers]
    assert [x.name for x in plain.layers] == ['stem', 'inner', 'head']


def test_no_tensor_of_the_forward_pass_is_kept():
    memory = []
    net = Net(lambda net, s, t: memory.append(StorageWeakRef(s.untyped_storage())) or s).eval()
    with torch.no_grad(), Trace(net) as trace:
        net(torch.randn(2, 3, 8, 8))
        assert trace.reads and memory[0].expired()


def test_a_model_is_left_as_it_was():
    net, x = meta(), torch.randn(1, 3, 32, 32)
    before = net(x)[0]
    audited(net)
    torch.testing.assert_close(net(x)[0], before, rtol=0, atol=0)
    assert not any(m._forward_pre_hooks or m._forward_hooks for m in net.modules())


def test_it_survives_a_file():
    found, _ = judged(lambda net, s, t: net.gate(s))
    assert found.findings and found.folds
    assert Audit.from_dict(found.to_dict()) == found


@pytest.mark.parametrize(('numbers', 'kind', 'words'), [
    ([0, 0], 'silent', 'only 0'), ([0, 1], 'binary', '0 and 1'), ([0, 0.25], 'scaled', '0 and 0.25'),
    ([0, -2], 'scaled', '0 and -2'), ([0, 1, 7], 'integer', 'integers 0 to 7'),
    ([-1, 1], 'integer', 'integers -1 to 1'),
    ([0, 1, 256], 'real', '0 to 256'), ([0, 0.25, 1], 'real', '0 to 1'), ([], 'silent', 'nothing')])
def test_kinds_of_values(numbers, kind, words):
    values = Values.of(torch.tensor(numbers, dtype=torch.float32))
    assert values.kind == kind and str(values).startswith(words)


def test_values_of_two_tensors():
    assert (Values.of(torch.tensor([0.0, 1])) | Values.of(torch.tensor([0.0, 2]))).kind == 'integer'
    assert (Values.of(torch.tensor([0.0, 1])) | Values.of(torch.zeros(2))).kind == 'binary'
