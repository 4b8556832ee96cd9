import numpy as np
import pytest
import torch
from small_nets import strengthen
from spikingjelly.activation_based import neuron, surrogate
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from spikemm.analysis import OperationCounter
from spikemm.models import MetaSpikeFormer, reparameterize
from spikemm.neurons import LIF


def counts_of(model, *inputs, **kwargs):
    model.eval()
    with torch.no_grad(), OperationCounter(model, **kwargs) as counter:
        for x in inputs:
            model(x)
    return counter.counts()


def spikes(*shape, rate=0.3, seed=0):
    return (torch.rand(shape, generator=torch.Generator().manual_seed(seed)) < rate).float()


def sheet(C, last, graph):
    """Operations at firing rate 1 of Meta-SpikeFormer at 224 x 224 and one time step, worked out by hand from Fig. 2
    and Eq. (8)-(15) of the paper: kernel area * channels read * channels made * places."""
    def sep_conv(name, c, n):
        if graph == 'train':
            return [(f'{name}.pw1.conv', c * 2*c * n), (f'{name}.dw', 7*7 * 2*c * n), (f'{name}.pw2.conv', 2*c * c * n)]
        return [(f'{name}.pw1.layer', c * 2*c * n), (f'{name}.pw2.layer', 7*7 * 2*c * c * n)]

    def rep_conv(name, c, n):
        if graph == 'train':
            return [(f'{name}.conv', c * c * n), (f'{name}.dw', 3*3 * c * n), (f'{name}.pw', c * c * n)]
        return [(f'{name}.layer', 3*3 * c * c * n)]

    layer = 'conv' if graph == 'train' else 'layer'
    rows = []
    places = [112 * 112, 56 * 56, 28 * 28, 14 * 14, 14 * 14]
    widths = [C, 2*C, 4*C, 8*C, last]
    for stage, (c, n, blocks) in enumerate(zip(widths, places, [1, 1, 2, 6, 2], strict=True)):
        kernel, reads = (7*7, 3) if stage == 0 else (3*3, widths[stage - 1])
        rows.append((f'stages.{stage}.0.conv.{layer}', kernel * reads * c * n))
        for block in range(1, blocks + 1):
            mixer, channels = (f'stages.{stage}.{block}.{part}.branch' for part in ('mixer', 'channels'))
            if stage < 3:
                area = 3*3
                rows += sep_conv(mixer, c, n)
            else:
                area = 1
                rows += [row for part in 'qkv' for row in rep_conv(f'{mixer}.{part}', c, n)]
                rows += [(f'{mixer}.product_{i}', c * (c // 8) * n) for i in (1, 2)]  # 8 heads
                rows += rep_conv(f'{mixer}.proj', c, n)
            rows += [(f'{channels}.fc{i}.{layer}', area * c * 4*c * n) for i in (1, 2)]
    return rows


@pytest.mark.parametrize('graph', ['train', 'spike'])
@pytest.mark.parametrize('arch, C, last', [('15m', 32, 360), ('31m', 48, 480), ('55m', 64, 640)])
def test_operations_at_rate_1_are_those_of_the_hand_worked_sheet(arch, C, last, graph):
    net = MetaSpikeFormer(arch=arch)
    net = net if graph == 'train' else reparameterize(net, graph)
    counts = counts_of(net, torch.rand(1, 3, 224, 224))
    assert [(layer.name, layer.dense) for layer in counts.layers] == sheet(C, last, graph)


def test_the_sheet_adds_up_to_the_macs_that_a_flop_counter_found():
    totals = [sum(ops for _, ops in sheet(*size, 'train')) / 1e9 for size in ((32, 360), (48, 480), (64, 640))]
    assert totals == pytest.approx([6.47, 14.01, 24.81], abs=0.01)


def test_every_neuron_that_fires_at_every_place_reaches_all_weights_but_those_on_the_padding():
    net = nn.Sequential(nn.Conv2d(2, 5, 3, padding=1))
    (layer,) = counts_of(net, torch.ones(1, 2, 4, 4)).layers
    assert layer.dense == 9 * 2 * 5 * 16
    assert layer.acs == 2 * 5 * (4*4 + 8*6 + 4*9)  # corners reach 4 weights, edges 6, the others 9
    assert layer.bias == 5 * 16
    assert layer.macs == 0


CONVOLUTIONS = [
    nn.Conv2d(4, 6, 3), nn.Conv2d(4, 6, 3, padding=1), nn.Conv2d(4, 6, 3, stride=2, padding=1), nn.Conv2d(4, 6, 1),
    nn.Conv2d(4, 6, 1, stride=2), nn.Conv2d(4, 8, (3, 5), (2, 1), (1, 2), groups=2), nn.Conv2d(4, 4, 7, 1, 3, groups=4),
    nn.Conv2d(4, 6, 3, padding=2, dilation=2), nn.Conv2d(4, 6, 3, padding='same'), nn.Conv2d(4, 6, 4, padding='same'),
    nn.Conv2d(4, 6, 3, padding=1, padding_mode='reflect'), nn.Conv2d(4, 6, 3, padding=1, padding_mode='circular'),
    nn.ConvTranspose2d(4, 6, 2, 2), nn.ConvTranspose2d(4, 6, 3, 2, 1, 1), nn.ConvTranspose2d(4, 6, 4, 2, 1, groups=2),
    nn.ConvTranspose2d(4, 6, 3, 1, 2, dilation=2), nn.ConvTranspose2d(4, 6, 1, padding=1)]


@pytest.mark.parametrize('conv', CONVOLUTIONS, ids=str)
@pytest.mark.parametrize('memory_format', [torch.contiguous_format, torch.channels_last])
def test_accumulates_are_the_ones_that_happen(conv, memory_format):
    x = spikes(3, 4, 9, 11).to(memory_format=memory_format)
    (layer,) = counts_of(nn.Sequential(conv), x).layers
    ones = type(conv)(
        conv.in_channels, conv.out_channels, conv.kernel_size, conv.stride, conv.padding, groups=conv.groups,
        dilation=conv.dilation, bias=False, padding_mode=conv.padding_mode,
        **({'output_padding': conv.output_padding} if conv.transposed else {}))
    nn.init.ones_(ones.weight)  # each spike adds 1 wherever it adds a weight
    assert layer.operand == 'binary' and layer.acs > 0
    assert layer.acs * 3 == ones(x).sum().item()
    assert layer.rate == pytest.approx(layer.density)


@pytest.mark.parametrize('conv, shape', [
    (nn.Conv1d(4, 6, 3, padding=1), (3, 4, 9)), (nn.Conv3d(4, 6, 3, 2, 1), (3, 4, 5, 6, 7)),
    (nn.Linear(4, 6), (3, 4)), (nn.Linear(4, 6), (3, 5, 4)), (nn.Linear(4, 6, bias=False), (3, 2, 5, 4))], ids=str)
def test_layers_of_other_dimensions_are_counted_alike(conv, shape):
    x = spikes(*shape)
    (layer,) = counts_of(nn.Sequential(conv), x, samples=lambda args, kwargs: 3).layers
    bias = 0 if conv.bias is None else conv(x).numel()
    for parameter in conv.parameters():
        nn.init.constant_(parameter, float(parameter.ndim > 1))
    assert layer.acs * 3 == conv(x).sum().item() > 0
    assert layer.bias * 3 == bias


@pytest.mark.parametrize('scale, operand, factor', [
    (1.0, 'binary', 1), (0.3, 'scaled', 1), (3.0, 'scaled', 1), (-1.0, 'scaled', 1)])
def test_a_factor_common_to_all_spikes_costs_nothing(scale, operand, factor):
    net = nn.Sequential(nn.Linear(8, 5))
    x = spikes(2, 8)
    (layer,) = counts_of(net, scale * x).layers
    assert layer.operand == operand
    assert layer.acs * 2 == factor * 5 * x.sum()


def test_integers_cost_as_many_accumulates_as_they_say():
    net = nn.Sequential(nn.Linear(4, 5))
    (layer,) = counts_of(net, torch.tensor([[0.0, 1.0, 2.0, -3.0]])).layers
    assert (layer.operand, layer.acs, layer.macs, layer.rate, layer.density) == ('integer', 30, 0, 1.5, 0.75)


@pytest.mark.parametrize('value', [0.5, 256.0, float('nan'), float('inf')])
def test_real_numbers_cost_all_multiply_accumulates(value):
    net = nn.Sequential(nn.Linear(4, 5))
    (layer,) = counts_of(net, torch.tensor([[0.0, 1.0, value, 2.0]])).layers
    assert (layer.operand, layer.macs, layer.acs, layer.rate) == ('real', 20, 0, None)


class Product(nn.Module):
    def forward(self, x):
        q, k, v = x.unbind(1)
        return q @ (k.mT @ v)


def test_products_of_spikes_cost_where_spikes_meet():
    q, k, v = (spikes(2, 6, 4, seed=seed) for seed in range(3))
    first, second = counts_of(Product(), torch.stack([q, k, v], 1)).layers
    assert (first.name, second.name, first.type) == ('product_1', 'product_2', 'product')
    meetings = sum(int(k[b, n, i] and v[b, n, j])
                   for b in range(2) for n in range(6) for i in range(4) for j in range(4))
    assert first.acs * 2 == meetings > 0
    assert first.dense == 4 * 6 * 4
    assert second.acs * 2 == q.sum() * 4  # each spike of Q adds a row of K^T V
    assert second.operand == 'binary'


def test_the_product_of_real_numbers_is_all_multiply_accumulates():
    layers = counts_of(Product(), torch.rand(2, 3, 6, 4)).layers
    assert [(layer.operand, layer.macs, layer.acs) for layer in layers] == [('real', 96, 0)] * 2


def spiking_net(T=3, **kwargs):
    return strengthen(MetaSpikeFormer(**{'arch': 'nano', 'T': T, **kwargs}).eval())


def test_a_still_images_first_layer_runs_once_and_the_others_at_every_step():
    counts = counts_of(spiking_net(T=3), torch.rand(2, 3, 32, 32))
    stem, *others = counts.layers
    assert counts.rate > 0
    assert (stem.steps, stem.encoding, stem.operand) == (1, True, 'real')
    assert {layer.steps for layer in others} == {3}
    assert not any(layer.encoding for layer in others)
    assert all(sum(layer.acs_by_step) == pytest.approx(layer.acs) for layer in others)


def test_the_first_layer_of_an_event_sequence_runs_at_every_step():
    counts = counts_of(spiking_net(in_channels=2), spikes(4, 2, 2, 32, 32))
    assert counts.T == 4
    assert (counts.layers[0].steps, counts.layers[0].operand) == (4, 'binary')
    assert len(counts.layers[0].rate_by_step) == 4


def test_steps_are_told_apart():
    x = torch.stack([torch.zeros(2, 3), torch.ones(2, 3)])[:, :, :, None, None]
    net = nn.Sequential(LIF(v_threshold=0.1), nn.Flatten(0, 1), nn.Conv2d(3, 4, 1))
    (layer,) = counts_of(net, x).layers
    assert layer.acs_by_step == [0, 12]
    assert layer.rate_by_step == [0, 1]


class Loop(nn.Module):
    """Neurons of SpikingJelly in step mode 's', called in a loop over time, or in step mode 'm'."""

    def __init__(self, mode, image=True):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 2, 3, padding=1)
        self.first.weight.data *= 5
        self.neuron, self.image = neuron.IFNode(step_mode=mode), image

    def forward(self, x):
        self.neuron.reset()
        x = self.first(x) if self.image else x
        if self.neuron.step_mode == 's':
            return torch.stack([self.second(self.neuron(x if self.image else self.first(x))) for _ in range(4)])
        x = x if self.image else self.first(x.expand(4, *x.shape).flatten(0, 1)).unflatten(0, (4, -1))
        return self.second(self.neuron(x.expand(4, *x.shape[-4:])).flatten(0, 1)).unflatten(0, (4, -1))


@pytest.mark.parametrize('image', [True, False], ids=['first layer once', 'first layer at every step'])
def test_a_loop_over_time_counts_as_all_steps_at_once(image):
    x = torch.rand(2, 3, 8, 8)
    loop, at_once = (counts_of(Loop(mode, image), x) for mode in 'sm')
    assert loop.rate > 0 and loop.T == 4
    assert loop == at_once


def test_negative_spikes_are_spikes():
    x = torch.stack([torch.full((1, 3), 9.0), torch.full((1, 3), -9.0)])
    net = nn.Sequential(neuron.TernaryIFNode(step_mode='m'), nn.Flatten(0, 1), nn.Linear(3, 4))
    counts = counts_of(net, x, samples=lambda args, kwargs: 1)
    assert counts.layers[0].acs == 2 * 3 * 4
    assert (counts.neurons[0].rate, counts.neurons[0].silent_channels) == (1, 0)
    assert not any('silent' in line.lower() for line in counts.warnings())


def test_neurons_without_a_channel_axis_are_one_channel():
    (layer,) = counts_of(nn.Sequential(LIF()), torch.tensor([[5.0, 0], [5, 0]])).neurons
    assert (layer.channels, layer.rate_by_step) == (1, [0.5, 0.5])


def test_two_inputs_have_two_first_layers():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.lif = nn.Linear(3, 4), nn.Linear(3, 4), LIF()

        def forward(self, x, y):
            return [self.lif(layer(z)[None]) for layer, z in ((self.a, x), (self.b, y))]

    net = Two().eval()
    with torch.no_grad(), OperationCounter(net) as counter:
        net(torch.rand(2, 3), torch.rand(2, 3))
    assert [layer.encoding for layer in counter.counts().layers] == [True, True]


def test_a_samples_count_does_not_depend_on_its_batch():
    net = reparameterize(spiking_net(T=2), 'spike')
    x = torch.rand(4, 3, 32, 32)
    together, apart = counts_of(net, x), counts_of(net, *x.split(1))
    assert together.acs == apart.acs > 0
    assert together.sample_acs == apart.sample_acs
    assert len(set(together.sample_acs)) > 1
    assert [layer.spread for layer in together.layers] == [layer.spread for layer in apart.layers]


@pytest.mark.parametrize('rows, operand, costs', [
    ([[0, 2, 2], [0, 1, 1]], 'integer', [20, 10]), ([[0, 3, 0], [0, 1, 2]], 'integer', [15, 15]),
    ([[0, 0.5, 0.5], [1, 0.25, 0.5]], 'real', [15, 15]), ([[0, 0, 0], [0.3, 0.5, 0]], 'real', [15, 15]),
    ([[0, 0.5, 0.5], [0, 1, 0]], 'real', [15, 15]), ([[0, 0, 0], [0, 0.3, 0]], 'scaled', [0, 5])], ids=str)
def test_numbers_that_are_alike_in_one_batch_only_cost_what_they_cost_in_company(rows, operand, costs):
    x = torch.tensor(rows, dtype=torch.float32)
    for batches in ([x], x.split(1)):
        counts = counts_of(nn.Sequential(nn.Linear(3, 5)), *batches)
        assert counts.layers[0].operand == operand
        assert [sum(cost) for cost in zip(counts.sample_macs, counts.sample_acs, strict=True)] == costs


def test_a_product_that_meets_spikes_in_one_batch_only_costs_what_it_costs_in_company():
    few = torch.zeros(1, 3, 6, 4)
    few[:, :, 0, :2] = 1  # K^T V holds 0 and 1 here
    x = torch.cat([few, spikes(1, 3, 6, 4, rate=0.6)])
    together, apart = counts_of(Product(), x), counts_of(Product(), *x.split(1))
    assert together.sample_acs == apart.sample_acs
    assert together.layers == apart.layers


def test_samples_add_up_to_the_whole():
    counts = counts_of(spiking_net(), torch.rand(3, 3, 32, 32))
    assert np.mean(counts.sample_acs) == pytest.approx(counts.acs)
    assert np.mean(counts.sample_macs) == pytest.approx(counts.macs)


def test_firing_rates_are_those_of_the_neurons():
    net, seen = spiking_net(T=2), {}
    for name, module in net.named_modules():
        if isinstance(module, LIF):
            module.register_forward_hook(lambda m, args, out, name=name: seen.setdefault(name, out))
    counts = counts_of(net, torch.rand(2, 3, 32, 32))
    assert [layer.name for layer in counts.neurons] == list(seen)
    for layer in counts.neurons:
        out = seen[layer.name]
        assert layer.rate_by_step == pytest.approx(out.flatten(1).mean(1).tolist())
        assert layer.neurons == out[0, 0].numel()
        assert layer.silent_channels == out.sum((0, 1, 3, 4)).eq(0).sum()
    assert counts.rate > 0


@pytest.mark.parametrize('shape', [(2, 3, 4), (2, 3, 4, 5), (2, 3, 4, 5, 6)])
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_channels_of_any_neuron_are_the_third_axis(shape, dtype):
    x = torch.zeros(shape, dtype=dtype)
    x[:, :, 1] = 5
    (layer,) = counts_of(nn.Sequential(LIF()), x, samples=lambda args, kwargs: 3).neurons
    assert (layer.channels, layer.silent_channels, layer.largest) == (4, 3, 1)
    assert layer.rate == 0.25


def resnet():
    from torchvision.models import resnet18
    return resnet18(num_classes=5)


def vit():
    from mmpretrain.models import VisionTransformer
    return VisionTransformer('deit-tiny', img_size=32, patch_size=8)


def pvt():
    from mmdet.models import PyramidVisionTransformer
    return PyramidVisionTransformer(
        embed_dims=8, num_layers=[1, 1, 1, 1], num_heads=[1, 2, 4, 8], sr_ratios=[2, 2, 1, 1], pretrain_img_size=64)


def swin():
    from mmpretrain.models import SwinTransformer
    arch = {'embed_dims': 16, 'depths': [2, 2], 'num_heads': [2, 4]}
    return SwinTransformer(arch, img_size=64, window_size=4, out_indices=(1,))


@pytest.mark.parametrize('build', [resnet, vit, pvt, swin])
def test_the_macs_of_an_ann_are_those_of_torchs_flop_counter(build):
    net = build()
    net.eval()
    x = torch.randn(2, 3, *(32, 32) if build is vit else (64, 64))
    with sdpa_kernel(SDPBackend.MATH):  # which torch's counter sees on CPU; the fused operator it does not
        counts = counts_of(net, x)
        with FlopCounterMode(display=False) as flops, torch.no_grad():
            net(x)
    assert counts.macs * 2 == flops.get_total_flops() / 2 > 0
    assert counts.acs == 0 and not counts.unknown


def test_attention_of_torch_is_seen_although_it_has_a_fast_path():
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    counts = counts_of(layer, torch.randn(2, 5, 8))
    assert [(c.name, c.dense) for c in counts.layers if c.type == 'linear'] == [
        ('self_attn.in_proj_weight', 3*8*8*5), ('self_attn.out_proj', 8*8*5), ('linear1', 8*16*5), ('linear2', 8*16*5)]
    assert not counts.unknown


def test_fused_attention_costs_what_its_products_cost():
    net, x = vit(), torch.randn(1, 3, 32, 32)
    fused = counts_of(net, x)
    with sdpa_kernel(SDPBackend.MATH):
        plain = counts_of(net, x)
    assert 'attention' in {layer.type for layer in fused.layers}
    assert fused.macs == plain.macs


class InNumpy(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.rand(4, 4))

    def forward(self, x):
        return torch.from_numpy(x.numpy() @ self.weight.detach().numpy())


def test_a_layer_that_computes_out_of_sight_is_named():
    (unknown,) = counts_of(nn.Sequential(nn.Linear(4, 4), InNumpy()), torch.rand(2, 4)).unknown
    assert unknown.name == '1'
    assert 'InNumpy' in unknown.what and 'weight' in unknown.what


def test_an_operator_that_nobody_knows_is_named():
    class Unknown(nn.Module):
        def forward(self, x):
            return torch.fft.rfft(x).real

    counts = counts_of(nn.Sequential(nn.Linear(4, 4), Unknown()), torch.rand(2, 4))
    assert ('1', 'aten._fft_r2c') in [(u.name, u.what) for u in counts.unknown]
    assert counts.warnings()[0].startswith('unknown')
    assert counts_of(nn.Sequential(nn.LSTM(4, 4)), torch.rand(2, 1, 4)).unknown[0].name.startswith('0.')


def test_what_an_operator_makes_of_nothing_is_no_cost():
    class Adds(nn.Linear):
        def forward(self, x):
            return super().forward(x) + torch.zeros(4) + 1

    counts = counts_of(Adds(4, 4), torch.rand(2, 4))
    assert counts.elementwise == {'add': 8} and not counts.unknown


def test_a_silent_network_is_flagged_first():
    net = spiking_net()
    for module in net.modules():
        if isinstance(module, LIF):
            module.v_threshold = 1e9
    assert counts_of(net, torch.rand(1, 3, 32, 32)).warnings()[0].startswith('SILENT NETWORK')


def test_a_saturated_layer_is_named():
    net = nn.Sequential(LIF(v_threshold=0.1), nn.Flatten(0, 1), nn.Conv2d(3, 4, 1))
    warnings = counts_of(net, torch.ones(2, 1, 3, 4, 4)).warnings()
    assert len(warnings) == 1 and warnings[0].startswith('saturated: 1 of 1') and warnings[0].endswith(': 0')


def test_layers_that_share_a_weight_keep_their_names():
    net = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4))
    net[2].weight = net[0].weight
    assert [layer.name for layer in counts_of(net, torch.rand(2, 4)).layers] == ['0', '2']


class Binarized(nn.Linear):
    def forward(self, x):
        return nn.functional.linear(x, self.weight.sign() * self.weight.abs().mean())


@pytest.mark.parametrize('layer', [
    Binarized(4, 5), nn.utils.parametrizations.weight_norm(nn.Linear(4, 5)),
    nn.utils.parametrizations.spectral_norm(nn.Linear(4, 5))], ids=['binarized', 'weight norm', 'spectral norm'])
def test_a_weight_that_is_made_of_weights_is_one(layer):
    counts = counts_of(nn.Sequential(layer), spikes(2, 4))
    assert [(x.type, x.name.split('.')[0], x.dense) for x in counts.layers] == [('linear', '0', 20)]
    assert not counts.unknown


def test_a_layer_that_runs_twice_costs_twice():
    class Twice(nn.Sequential):
        def forward(self, x):
            return super().forward(super().forward(x))

    (layer,) = counts_of(Twice(nn.Linear(4, 4)), torch.rand(2, 4)).layers
    assert layer.dense == 2 * 16


@pytest.mark.parametrize('context', [torch.inference_mode, lambda: torch.autocast('cpu', torch.bfloat16)])
def test_modes_of_torch_change_neither_names_nor_counts(context):
    net = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.Flatten(), nn.Linear(64, 5)).eval()
    x = spikes(2, 3, 4, 4)
    with context(), OperationCounter(net) as counter, torch.no_grad():
        net(x)
    found, plain = counter.counts(), counts_of(net, x)
    assert [(a.name, a.dense) for a in found.layers] == [(a.name, a.dense) for a in plain.layers]
    assert found.layers[0].acs == plain.layers[0].acs > 0
    assert not found.unknown


def test_what_counting_sees_it_does_not_change():
    net, x = spiking_net(), torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        before = net(x)[0]
        with OperationCounter(net):
            during = net(x)[0]
    assert before.std() > 0 and torch.equal(before, during)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in net.modules())


def test_a_pass_that_fails_leaves_no_trace():
    net = nn.Sequential(nn.Linear(4, 4), nn.Linear(3, 4)).eval()
    with torch.no_grad(), OperationCounter(net) as counter:
        with pytest.raises(RuntimeError):
            net(torch.rand(2, 4))
        net[1] = nn.Linear(4, 4)
        net(torch.rand(2, 4))
    assert counter.counts().layers[0].dense == 16


def test_bad_use_is_refused():
    net = nn.Linear(4, 4)
    with pytest.raises(ValueError, match='evaluation mode'), OperationCounter(net):
        pass
    net.eval()
    with OperationCounter(net) as counter, pytest.raises(ValueError, match='batch as a tensor'):
        net(3)
    with pytest.raises(RuntimeError, match='No forward pass'):
        counter.counts()


def test_counts_survive_a_journey_through_json():
    import json

    from spikemm.analysis import Counts

    counts = counts_of(spiking_net(), torch.rand(2, 3, 32, 32))
    assert Counts.from_dict(json.loads(json.dumps(counts.to_dict()))) == counts


@pytest.mark.cuda
def test_a_gpu_counts_alike():
    net, x = reparameterize(spiking_net(), 'spike'), torch.rand(2, 3, 32, 32)
    here, there = counts_of(net, x), counts_of(net.cuda(), x.cuda())
    assert there.layers[1].acs == here.layers[1].acs > 0
    assert [layer.operand for layer in there.layers] == [layer.operand for layer in here.layers]


@pytest.mark.parametrize('kind', ['binary', 'scaled', 'integer', 'real'])
def test_the_kernel_agrees_with_plain_torch(kind, monkeypatch):
    from spikemm.ops import spike_count as module

    x = spikes(3, 5, 70, 60) * {'binary': 1, 'scaled': 0.7, 'integer': 1, 'real': 1}[kind]
    x[1, 2, 3, 4] += {'integer': 4, 'real': 0.5}.get(kind, 0)
    places = module.Places(np.arange(70 * 60, dtype=np.float32).reshape(70, 60), False)
    for y in (x, x.contiguous(memory_format=torch.channels_last)):
        for weights in (None, places):
            ours = module.spike_count(y, weights)
            with monkeypatch.context() as patch:
                patch.setattr(module, '_on_cpu', module._anywhere)
                plain = module.spike_count(y, weights)
            assert ours.operand == plain.operand == kind
            np.testing.assert_array_equal(ours.sums, plain.sums)
            assert ours.unit == plain.unit or kind in ('integer', 'real')


@pytest.mark.parametrize('node', [
    neuron.PSN(2, surrogate.ATan()), neuron.GatedLIFNode(2, surrogate_function=surrogate.ATan(), step_mode='m'),
    neuron.DSRIFNode(2, step_mode='m')], ids=lambda node: type(node).__name__)
def test_neurons_of_spikingjelly_that_are_none_of_its_base_class_are_neurons(node):
    if isinstance(node, neuron.PSN):
        nn.init.ones_(node.weight)
    net = nn.Sequential(node, nn.Flatten(0, 1), nn.Conv2d(3, 4, 1))
    counts = counts_of(net, 5 * torch.rand(2, 1, 3, 4, 4))
    assert counts.rate > 0 and [layer.name for layer in counts.neurons] == ['0']
    assert counts.layers[0].name == '2' and not counts.layers[0].encoding
