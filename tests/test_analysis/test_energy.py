"""Conventions on layers worked out by hand, and SpikingJelly's models of memory traffic."""

import dataclasses
import re
from pathlib import Path

import pytest
import torch
from spikingjelly.activation_based import functional, layer, neuron
from torch import nn

from spikemm.analysis.counter import OperationCounter
from spikemm.analysis.counts import Counts, LayerCount
from spikemm.analysis.energy import CONVENTIONS, ENERGY_MODELS, Energy, EnergyModel, energy_of
from spikemm.analysis.memory import memory_aware
from spikemm.layers import OverTime
from spikemm.neurons import build_neuron

PAPERS = ('paper-sdt-v2', 'paper-spikformer')


def layer_count(**changes) -> LayerCount:
    """A convolution that reads spikes at two steps: 1000 MACs at rate 1, a fifth of them fire."""
    known = LayerCount(
        name='stages.1.conv', type='conv', stage='stages.1', operand='binary', encoding=False, steps=2, dense=1000.0,
        macs=0.0, acs=190.0, bias=10.0, acs_by_step=[90.0, 100.0], spread=0.0, rate=0.2, density=0.2,
        rate_by_step=[0.19, 0.21])
    return dataclasses.replace(known, **changes)


def operations(convention: str, T: int = 2, **changes) -> tuple[float, float]:
    """MACs and ACs that a convention pays for such a layer."""
    energy = energy_of(Counts([layer_count(**changes)], T=T), convention)
    return energy.macs, energy.acs


def test_the_energies_of_the_papers():
    assert (ENERGY_MODELS['45nm'].e_mac, ENERGY_MODELS['45nm'].e_ac) == (4.6, 0.9)


def test_narrow_numbers_cost_what_horowitz_lists():
    assert (ENERGY_MODELS['45nm-fp16'].e_mac, ENERGY_MODELS['45nm-fp16'].e_ac) == (1.1 + 0.4, 0.4)
    assert (ENERGY_MODELS['45nm-int8'].e_mac, ENERGY_MODELS['45nm-int8'].e_ac) == (0.2 + 0.03, 0.03)


def test_spikes_cost_the_weights_they_reached():
    assert operations('exact') == (0.0, 190.0 + 10.0)


def test_papers_price_spikes_by_the_mean_rate():
    assert operations('paper-sdt-v2') == (0.0, 1000 * 0.2)
    assert operations('paper-spikformer') == (0.0, (1000 + 10) * 0.2)  # its script has biases in the operations


def test_real_numbers_cost_a_multiply_accumulate_each():
    potentials = dict(operand='real', macs=1000.0, acs=0.0, rate=7.0)
    assert operations('exact', **potentials) == (1000, 10)
    assert operations('paper-sdt-v2', **potentials) == (1000, 0)
    assert operations('paper-spikformer', **potentials) == (1010, 0)


def test_a_still_image_is_paid_for_once_or_as_often_as_papers_count_it():
    image = dict(T=4, operand='real', encoding=True, steps=1, macs=1000.0, acs=0.0)
    assert operations('exact', **image) == (1000, 10)
    assert operations('paper-sdt-v2', **image) == (4 * 1000, 0)
    assert operations('paper-spikformer', **image) == (4 * (1000 + 10), 0)


@pytest.mark.parametrize('convention', PAPERS)
def test_a_layer_that_ran_at_every_step_is_not_multiplied_again(convention):
    of_two_steps = operations(convention, T=2, operand='real', encoding=True, steps=2, macs=1000.0, bias=0.0)
    assert of_two_steps == (1000, 0)


@pytest.mark.parametrize('convention', PAPERS)
def test_a_layer_behind_the_mean_over_time_runs_once(convention):
    assert operations(convention, T=4, operand='real', steps=1, macs=1000.0, bias=0.0) == (1000, 0)


def test_the_first_layer_costs_multiplications_even_of_events_but_not_in_spikformers_script():
    events = dict(encoding=True, bias=0.0)
    assert operations('paper-sdt-v2', **events) == (1000, 0)
    assert operations('paper-spikformer', **events) == (0, 1000 * 0.2)


def test_integers_are_additions_but_not_in_spikformers_script():
    integers = dict(operand='integer', rate=1.5, acs=1425.0, bias=0.0)
    assert operations('exact', **integers) == (0, 1425)
    assert operations('paper-sdt-v2', **integers) == (0, 1000 * 1.5)
    assert operations('paper-spikformer', **integers) == (1000, 0)


@pytest.mark.parametrize('convention', CONVENTIONS)
def test_a_head_that_saw_no_region_costs_nothing(convention):
    assert operations(convention, dense=0.0, acs=0.0, bias=0.0, rate=None, rate_by_step=[None]) == (0, 0)


@pytest.mark.parametrize('convention, acs', [('exact', 200), ('paper-sdt-v2', 200), ('paper-spikformer', 0)])
def test_sums_of_spikes_are_unknown_to_spikformers_script(convention, acs):
    assert operations(convention, type='sum', acs=200.0, bias=0.0) == (0, acs)


@pytest.mark.parametrize('convention', CONVENTIONS)
def test_softmax_attention_costs_multiplications(convention):
    assert operations(convention, type='attention', operand='real', macs=1000.0, acs=0.0, bias=0.0) == (1000, 0)


def test_energy_is_priced_layer_by_layer():
    layers = [layer_count(), layer_count(name='head', operand='real', macs=1000.0, acs=0.0, bias=0.0)]
    energy = energy_of(Counts(layers, T=2), model=EnergyModel('mine', 5.0, 2.0, 'a guess'))
    assert [(x.mac_pj, x.ac_pj) for x in energy.layers] == [(0, 2 * 200), (5 * 1000, 0)]
    assert (energy.mac_mj, energy.ac_mj, energy.mj) == pytest.approx((5e-6, 0.4e-6, 5.4e-6))


def test_an_energy_survives_json():
    energy = energy_of(Counts([layer_count()], T=2), 'paper-sdt-v2', '45nm-int8')
    assert Energy.from_dict(energy.to_dict()) == energy


@pytest.mark.parametrize('choice, named', [(('paper', '45nm'), 'paper-sdt-v2'), (('exact', '7nm'), '45nm-fp16')])
def test_unknown_choices_are_refused_by_name(choice, named):
    with pytest.raises(ValueError, match=f'must be one of .*{named}.* but got'):
        energy_of(Counts([]), *choice)


def test_every_convention_says_what_it_does():
    for convention in CONVENTIONS.values():
        assert {'conv, linear', 'first layer', 'product', 'sum'} <= set(convention.formulas)
        assert convention.rate and convention.leaves_out and convention.source


def test_the_log_of_spikingformer_8_512():
    """Its first convolution at all four steps and its head on real numbers are the MACs, 0.347329512 G."""
    first = layer_count(dense=3 * 9 * 64 * 224 * 224.0, operand='real', encoding=True, steps=1, bias=0.0)
    head = layer_count(name='head', type='linear', dense=512 * 1000.0, bias=1000.0, operand='real', steps=1)
    spikes = layer_count(name='rest', dense=6.51754e9 / 0.2, bias=0.0)
    energy = energy_of(Counts([first, head, spikes], T=4), 'paper-spikformer')
    assert energy.macs == 347_329_512
    assert energy.mj == pytest.approx(7.4635, abs=5e-5)


def test_the_multiplications_of_that_log_are_counted_on_a_real_network():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.lif = nn.Conv2d(3, 64, 3, padding=1, bias=False), build_neuron(dict(type='LIF'))
            self.head = nn.Linear(512, 1000)

        def forward(self, x):
            spikes = self.lif(self.conv(x).expand(4, 1, 64, 224, 224))
            return self.head(nn.functional.adaptive_avg_pool2d(spikes.mean(0), (2, 4)).flatten(1))

    net = Net().eval()
    with torch.no_grad(), OperationCounter(net) as counter:
        net(torch.rand(1, 3, 224, 224) * 20)
    assert counter.counts().rate > 0, 'silent network'
    energy = energy_of(counter.counts(), 'paper-spikformer')
    assert (energy.macs, energy.acs) == (347_329_512, 0)


def test_attention_pays_for_the_smaller_rate_of_keys_and_values_and_for_that_of_queries():
    """T * heads * N * d * d * (min(rate_k, rate_v) + rate_q) of 2 steps, 2 heads, 6 tokens, 4 channels."""

    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.lif = build_neuron(dict(type='IF'))

        def forward(self, x):  # [T, B, 3 * heads, N, d]
            q, k, v = self.lif(x).chunk(3, 2)
            return q @ (k.transpose(-2, -1) @ v)

    order = torch.arange(96).reshape(2, 1, 2, 6, 4)
    x = 2.0 * torch.stack([order < spikes for spikes in (48, 36, 24)], 2).flatten(2, 3)
    net = Attention().eval()
    with torch.no_grad(), OperationCounter(net) as counter:
        net(x)
    assert counter.counts().rate > 0, 'silent network'
    expected = 2 * 2 * 6 * 4 * 4 * (min(36 / 96, 24 / 96) + 48 / 96)
    assert energy_of(counter.counts(), 'paper-spikformer').acs == pytest.approx(expected)


def test_the_worked_example_of_the_documentation(capsys):
    page = (Path(__file__).parents[2] / 'docs' / 'energy.md').read_text(encoding='utf-8')
    code, expected = re.search(r'```python\n(.*?)```\n\n```text\n(.*?)```', page, re.DOTALL).groups()
    exec(code, {'__name__': 'example'})
    assert capsys.readouterr().out == expected


# Models of memory traffic.


def twins() -> tuple[nn.Module, nn.Module]:
    """The same network of our layers and of SpikingJelly's, for sequences."""
    torch.manual_seed(0)
    a, b = nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(8, 16, 3, 1, 1)
    stock = nn.Sequential(*(
        part for conv in (a, b)
        for part in (layer.Conv2d(conv.in_channels, conv.out_channels, 3, conv.stride, 1), neuron.LIFNode())))
    functional.set_step_mode(stock, 'm')
    for mine, theirs in zip((a, b), stock[::2], strict=True):
        mine.weight.data.normal_(0.1, 0.3)
        theirs.load_state_dict(mine.state_dict())
    ours = nn.Sequential(OverTime(a), build_neuron(dict(type='LIF')), OverTime(b), build_neuron(dict(type='LIF')))
    return ours.eval(), stock.eval()


def memory_of_twins(batch: int) -> tuple[dict, dict]:
    (ours, stock), x = twins(), 9 * torch.rand(4, batch, 3, 16, 16)

    def from_rest():
        functional.reset_net(stock)
        assert stock(x).any(), 'silent network'

    return memory_aware(ours, lambda: ours(x)), memory_aware(stock, from_rest)


def test_neurons_without_state_move_the_bytes_of_those_that_keep_it():
    ours, stock = (figures['simple'] for figures in memory_of_twins(batch=2))
    names = [key for key in ours if 'bytes' in key]
    assert {key: ours[key] for key in names} == {key: stock[key] for key in names}
    sites = 8 * 8 * 8 + 16 * 8 * 8  # neurons a sample: read and written as 4 bytes at each of 4 steps
    assert ours['neuron_state_read_bytes'] == ours['neuron_state_write_bytes'] == 4 * 4 * sites


def test_memories_are_sized_for_one_step():
    ours, stock = (figures['lemaire'] for figures in memory_of_twins(batch=1))
    assert ours['potential_mj'] > 0
    assert ours == stock


def test_memories_of_a_batch_are_not_taken_for_those_of_a_sample():
    assert memory_of_twins(batch=2)[0]['lemaire'] == {'unknown': 'takes a pass of one sample, but got 2'}


def test_what_the_memory_models_do_not_see_is_named():
    net = nn.Sequential(OverTime(nn.ConvTranspose2d(3, 8, 2)), build_neuron(dict(type='PLIF'))).eval()
    figures = memory_aware(net, lambda: net(torch.rand(1, 1, 3, 8, 8)))
    assert figures['simple']['not seen'] == '0.layer'
    assert 'ConvTranspose2d' in figures['lemaire']['warnings'] and 'PLIF' in figures['lemaire']['warnings']


def test_layers_are_left_as_they_were():
    net, _ = twins()
    before = [sorted(vars(m)) for m in net.modules()]
    memory_aware(net, lambda: net(torch.rand(1, 1, 3, 16, 16)))
    assert [sorted(vars(m)) for m in net.modules()] == before


def test_a_run_of_nothing_is_refused():
    with pytest.raises(ValueError, match='`run` must call `model`'):
        memory_aware(nn.Linear(2, 2), lambda: None)
