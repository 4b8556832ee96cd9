"""What is recorded of neurons is what they sent."""

import pytest
import torch
from spikingjelly.activation_based.neuron import IFNode
from torch import nn

from spikemm.analysis.spikes import record_spikes
from spikemm.neurons import LIF, Integer

T = 3


class Net(nn.Module):
    """Two stages of two layers, and a head that sees two levels of a pyramid and then regions."""

    def __init__(self):
        super().__init__()
        self.stages = nn.ModuleList(nn.Sequential(LIF(v_threshold=0.3), LIF(v_threshold=0.1)) for _ in range(2))
        self.head = LIF(v_threshold=0.3)
        self.regions = nn.ModuleDict(dict(neuron=LIF(v_threshold=0.3)))

    def forward(self, x, regions=2):
        for stage in self.stages:
            x = stage(x)
        self.small, self.large = self.head(x[..., :1, :1]), self.head(x)
        self.of_regions = self.regions['neuron'](x[:, :, :, 0, 0].expand(T, regions, -1))
        return x


def frames(batch=1):
    torch.manual_seed(0)
    return torch.rand(T, batch, 4, 2, 5)


def record(net, layers=None, **kwargs):
    return {layer.name: layer for layer in record_spikes(net, lambda: net(frames(), **kwargs), layers)}


def test_the_spikes_are_those_that_the_neurons_sent():
    net = Net()
    out = net(frames())[:, 0]
    assert 0 < out.mean() < 1
    found = record(net)['stages.1.1']
    assert found.spikes.dtype == torch.uint8
    assert torch.equal(found.spikes.float(), out)
    assert found.rate == pytest.approx(out.mean().item())


def test_without_a_pattern_the_last_layer_of_each_part_is_recorded():
    assert [*record(Net())] == ['stages.0.1', 'stages.1.1', 'head', 'regions.neuron']


def test_the_last_layer_is_the_last_that_is_called():
    net = nn.ModuleDict(dict(part=nn.ModuleList([LIF(), LIF()])))
    first, second = net['part']
    layer, = record_spikes(net, lambda: first(second(first(frames()))))
    assert layer.name == 'part.0'


def test_a_pattern_chooses_layers():
    assert [*record(Net(), 'stages.*.0')] == ['stages.0.0', 'stages.1.0']


def test_of_several_calls_the_largest_is_kept_and_named():
    net = Net()
    head = record(net)['head']
    assert net.large.any()
    assert torch.equal(head.spikes.float(), net.large[:, 0])
    assert head.part == 'call 2 of 2'


def test_of_regions_the_first_is_kept_and_named():
    net = Net()
    layer = record(net)['regions.neuron']
    assert net.of_regions.any()
    assert torch.equal(layer.spikes[:, :, 0, 0].float(), net.of_regions[:, 0])
    assert layer.spikes.shape == (T, 4, 1, 1)
    assert layer.part == 'region 1 of 2'


def test_a_layer_without_regions_is_missing():
    assert [*record(Net(), regions=0)] == ['stages.0.1', 'stages.1.1', 'head']


def test_a_neuron_in_single_steps_is_recorded_as_one_in_multi_steps():
    single, multi = IFNode(step_mode='s'), IFNode(step_mode='m')
    x = 0.6 * frames()
    one, = record_spikes(nn.Sequential(single), lambda: ([single(step) for step in x], single.reset()))
    other, = record_spikes(nn.Sequential(multi), lambda: (multi(x), multi.reset()))
    assert other.spikes.any()
    assert torch.equal(one.spikes, other.spikes)
    assert one.part == ''


def test_integers_keep_their_values():
    net = nn.Sequential(Integer(levels=7))
    x = 9 * frames()
    layer, = record_spikes(net, lambda: net(x))
    assert layer.largest == 7
    assert layer.spikes.dtype == torch.uint8
    assert torch.equal(layer.spikes, x[:, 0].clamp(0, 7).round().to(torch.uint8))


def test_values_that_a_byte_does_not_hold_are_kept():
    class Signed(IFNode):
        def multi_step_forward(self, x):
            return x - 0.5

    net = nn.Sequential(Signed(step_mode='m'))
    layer, = record_spikes(net, lambda: net(frames()))
    assert torch.equal(layer.spikes, frames()[:, 0] - 0.5)


def test_nothing_is_left_behind_when_the_run_fails():
    net = Net()
    with pytest.raises(ZeroDivisionError):
        record_spikes(net, lambda: (net(frames()), 1 / 0))
    assert not any(layer._forward_hooks for layer in net.modules())


def test_a_model_without_neurons_is_refused():
    with pytest.raises(ValueError, match=r'`model` must have neurons.* but got a ReLU without any'):
        record_spikes(nn.ReLU(), lambda: None)


def test_a_pattern_that_matches_nothing_names_what_there_is():
    with pytest.raises(ValueError, match=r"but got 'neck.\*'; the 6 layers are stages.0.0, stages.0.1"):
        record(Net(), 'neck.*')


def test_a_run_that_calls_no_neuron_is_refused():
    with pytest.raises(ValueError, match=r'`run` must call the neurons.* none of stages.0.0'):
        record_spikes(Net(), lambda: None)


def test_a_batch_is_refused():
    net = Net()
    with pytest.raises(ValueError, match='`run` must predict one sample, but got a batch of 2'):
        record_spikes(net, lambda: net(frames(batch=2)))
