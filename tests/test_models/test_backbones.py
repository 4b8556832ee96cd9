"""Spiking backbones: one contract for all, and Meta-SpikeFormer against the reference code (golden/sdt_v2_*)."""

import copy
import functools

import pytest
import torch
from mmengine.registry import DefaultScope
from mmpretrain.models.classifiers import ImageClassifier
from mmpretrain.registry import MODELS as CLS_MODELS
from torch import Tensor, nn

from spikemm.layers import Downsample
from spikemm.layers.shortcut import Shortcut
from spikemm.models import convert_state_dict, reparameterize
from spikemm.models.backbones import (
    AttMSResNet,
    EMSResNet,
    MetaSpikeFormer,
    MSResNet,
    SEWResNet,
    SpikeDrivenTransformer,
    Spikformer,
    SpikformerV2,
)

# One row a backbone and option; a new backbone adds one.
BACKBONES = {
    'nano': (MetaSpikeFormer, dict(arch='nano')),
    'tiny': (MetaSpikeFormer, dict(arch='tiny')),
    'sdsa1': (MetaSpikeFormer, dict(arch='nano', sdsa=1)),
    'sdsa2': (MetaSpikeFormer, dict(arch='nano', sdsa=2)),
    'sdsa4': (MetaSpikeFormer, dict(arch='nano', sdsa=4)),
    'merged scale': (MetaSpikeFormer, dict(arch='nano', sdsa_scale=None)),
    'vanilla': (MetaSpikeFormer, dict(arch='nano', shortcut='vanilla')),
    'sew': (MetaSpikeFormer, dict(arch='nano', shortcut='sew')),
    'plif': (MetaSpikeFormer, dict(arch='nano', neuron=dict(type='PLIF', init_tau=1.5))),
    'soft if': (MetaSpikeFormer, dict(arch='nano', neuron=dict(type='IF', v_reset=None, v_threshold=2.0))),
    'linear': (MetaSpikeFormer, dict(arch=dict(preset='nano', rep_qkv=False, rep_proj=False, channel_kernel=1))),
    'all conv': (MetaSpikeFormer, dict(arch=dict(preset='nano', blocks=('conv',) * 4, sep_conv=False))),
    'all transformer': (MetaSpikeFormer, dict(arch=dict(preset='nano', blocks=('transformer',) * 4))),
    'sdt v1': (SpikeDrivenTransformer, dict(arch='nano')),
    'sdt v1 dvs': (SpikeDrivenTransformer, dict(arch=dict(preset='nano', pooled_attention=True))),
    'spikformer': (Spikformer, dict(arch='nano')),
    'spikformer v2': (SpikformerV2, dict(arch='nano')),
    'sew resnet': (SEWResNet, dict(arch='nano')),
    'sew resnet iand': (SEWResNet, dict(arch='nano', connect='iand')),
    'sew bottleneck': (SEWResNet, dict(arch=dict(preset='nano', bottleneck=True))),
    'ms resnet': (MSResNet, dict(arch='nano')),
    'att ms resnet': (AttMSResNet, dict(arch='nano')),
    'ems resnet': (EMSResNet, dict(arch='nano')),
    'ems concat': (EMSResNet, dict(arch='nano', shortcut='concat')),
}
every_backbone = pytest.mark.parametrize('name', BACKBONES)
few_backbones = pytest.mark.parametrize('name', [
    'nano', 'sdsa4', 'vanilla', 'plif', 'sdt v1', 'spikformer', 'spikformer v2', 'sew resnet', 'ms resnet',
    'ems concat'])
STAGES = range(4)


def frames(B: int = 2, H: int = 32, W: int = 32, seed: int = 0) -> Tensor:
    """Images strong enough that neurons fire."""
    return torch.randn(B, 3, H, W, generator=torch.Generator().manual_seed(seed)) * 2


@functools.cache
def _calibrated(name: str) -> nn.Module:
    """As after training: norms with the statistics of some images, so that evaluation fires as training does."""
    torch.manual_seed(0)
    cls, options = BACKBONES[name]
    net = cls(T=2, **options).train()
    norms = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
        norm.weight.data.uniform_(1.0, 2.0)
        norm.bias.data.uniform_(0.0, 1.5)
    with torch.no_grad():
        net(frames(4, seed=1))
    for norm in norms:
        norm.momentum = 0.1
    return net


def build(name: str = 'nano', **attributes) -> nn.Module:
    """A copy of the calibrated backbone that returns every stage."""
    net = copy.deepcopy(_calibrated(name))
    net.out_indices = tuple(range(len(net.stages)))
    for key, value in attributes.items():
        setattr(net, key, value)
    return net


def assert_equal(ours: tuple, theirs: tuple, **tolerance) -> None:
    assert theirs[-1].std() > 1e-3, 'silent network, the comparison would prove nothing'
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, **(tolerance or dict(rtol=0, atol=0)))


def loss(outs: tuple) -> Tensor:
    """Weighs every number differently: a plain sum has no gradient through a norm."""
    return sum((x * torch.linspace(-1, 1, x.numel(), dtype=x.dtype).reshape(x.shape).sin()).sum() for x in outs)


def running(net: nn.Module) -> dict[str, Tensor]:
    return {k: v.clone() for k, v in net.state_dict().items() if 'running' in k or 'num_batches' in k}


# ---- the contract ----


@every_backbone
def test_shapes_by_out_index(name):
    net = build(name).eval()
    outs = net(frames())
    assert len(outs) == len(net.stages)
    for i, x in enumerate(outs):
        stride = net.stage_strides[i]
        assert x.shape == (2, 2, net.stage_channels[i], 32 // stride, 32 // stride)


@every_backbone
@pytest.mark.parametrize('T', [1, 4])
def test_a_second_call_sees_no_state_of_the_first(name, T):
    net, x = build(name, T=T).eval(), frames()
    first = net(x)
    net(frames(3, seed=5))
    assert_equal(net(x), first)


@every_backbone
def test_an_image_is_a_constant_sequence(name):
    net, x = build(name, T=3).double().eval(), frames(1).double()  # float32 convolutions round by the batch's size
    assert_equal(net(x), net(x.expand(3, *x.shape)), rtol=0, atol=1e-9)


@every_backbone
@pytest.mark.parametrize('T', [1, 2])
def test_every_parameter_has_a_gradient(name, T):
    net, x = build(name, T=T).train(), frames().requires_grad_()
    loss(net(x)).backward()
    assert x.grad.abs().sum() > 0
    for key, parameter in net.named_parameters():
        assert parameter.grad is not None and torch.isfinite(parameter.grad).all(), key
        if not key.endswith('conv.bias'):  # a norm removes it
            assert parameter.grad.abs().sum() > 0, key


@every_backbone
def test_inference_changes_nothing(name):
    net = build(name).eval()
    before = copy.deepcopy(net.state_dict())
    with torch.no_grad():
        net(frames())
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())


@every_backbone
def test_can_be_copied_after_a_training_step(name):
    net, x = build(name).train(), frames()
    loss(net(x)).backward()
    assert_equal(copy.deepcopy(net).eval()(x), net.eval()(x))


@few_backbones
def test_a_constant_sequence_trains_as_its_image(name):
    results = []
    for repeat in (False, True):
        net, x = build(name, T=3).double().train(), frames().double().requires_grad_()
        outs = net(x.expand(3, *x.shape) if repeat else x)
        loss(outs).backward()
        results.append((*[o.detach() for o in outs], x.grad, *running(net).values(),
                        *[p.grad for p in net.parameters()], outs[-1].detach()))
    assert_equal(*results, rtol=1e-6, atol=1e-7)


@few_backbones
def test_recomputing_in_the_backward_changes_nothing(name):
    results = []
    for with_cp in (False, True):
        net, x = build(name, with_cp=with_cp).train(), frames().requires_grad_()
        outs = net(x)
        loss(outs).backward()
        results.append((*[o.detach() for o in outs], x.grad, *running(net).values(),
                        *[p.grad for p in net.parameters()], outs[-1].detach()))
    assert_equal(*results, rtol=1e-5, atol=1e-6)


def test_recomputing_drops_the_same_paths():
    results = []
    for with_cp in (False, True):
        net, x = build(with_cp=with_cp).train(), frames(4).requires_grad_()
        for shortcut in (m for m in net.modules() if isinstance(m, Shortcut)):
            shortcut.drop_path = 0.5
        torch.manual_seed(3)
        outs = net(x)
        loss(outs).backward()
        results.append((*[o.detach() for o in outs], x.grad, outs[-1].detach()))
    assert_equal(*results, rtol=1e-5, atol=1e-6)


@few_backbones
def test_a_sequence_keeps_its_own_time(name):
    net = build(name, T=2).eval()
    x = torch.stack([frames(seed=i) for i in range(3)])
    outs = net(x)
    assert [o.shape[0] for o in outs] == [3] * 4
    assert_equal(net(x[:2]), tuple(o[:2] for o in outs))  # causal


@few_backbones
def test_a_sample_does_not_see_its_batch(name):
    net, x = build(name).double().eval(), frames(3).double()
    assert_equal(net(x[:1]), tuple(o[:, :1] for o in net(x)), rtol=1e-6, atol=1e-7)


@few_backbones
@pytest.mark.parametrize('size', [(40, 56), (33, 47), (16, 65)], ids=str)
def test_sizes_are_rounded_up(name, size):
    net = build(name).eval()
    for x, stride in zip(net(frames(1, *size)), net.stage_strides, strict=True):
        assert x.shape[-2:] == tuple(-(-s // stride) for s in size) and x.std() > 0


@few_backbones
def test_trains_under_autocast(name):
    net = build(name).train()
    with torch.autocast('cpu', torch.bfloat16):
        outs = net(frames())
    loss([o.float() for o in outs]).backward()
    assert outs[-1].std() > 1e-3
    assert all(torch.isfinite(p.grad).all() for p in net.parameters())


@every_backbone
@pytest.mark.parametrize('mode', ['fast', 'spike'])
@torch.no_grad()
def test_can_be_folded(name, mode):
    net, x = build(name, T=3).double().eval(), frames(1).double()
    folded, outs = reparameterize(net, mode), net(x)
    assert_equal(folded(x), outs, rtol=1e-9, atol=1e-9)
    assert_equal(folded(x.expand(3, *x.shape)), outs, rtol=1e-9, atol=1e-9)


def test_modes_return_the_backbone():
    net = MetaSpikeFormer('nano')
    assert net.eval() is net and net.train() is net and net.train(False) is net and not net.training


def test_outputs_come_in_the_order_of_out_indices():
    net = MetaSpikeFormer('nano', out_indices=(2, 0, -1)).eval()
    assert (net.out_indices, net.out_channels, net.strides) == ((2, 0, 3), [64, 16, 96], [8, 2, 8])
    assert [x.shape[2] for x in net(frames())] == net.out_channels


def test_by_default_the_last_stage_is_returned():
    (out,) = MetaSpikeFormer('nano', T=3).eval()(frames())
    assert out.shape == (3, 2, 96, 4, 4)


def test_time_may_end_in_the_backbone():
    net = build(T=4).eval()
    expected = tuple(x.mean(0) for x in net(frames()))
    net.time_reduction = 'mean'
    assert_equal(net(frames()), expected)


def test_event_frames_may_have_other_channels():
    net = MetaSpikeFormer('nano', in_channels=2).eval()
    assert net(torch.rand(5, 1, 2, 32, 32))[0].shape == (5, 1, 96, 4, 4)


@pytest.mark.parametrize('frozen', [-1, 0, 2, 3])
def test_frozen_stages_do_not_learn(frozen):
    net = MetaSpikeFormer('nano', frozen_stages=frozen).train()
    before = running(net)
    loss(net(frames())).backward() if frozen < 3 else net(frames())
    for key, parameter in net.named_parameters():
        assert (parameter.grad is None) == (int(key.split('.')[1]) <= frozen), key
    for key, value in running(net).items():
        if 'num_batches' in key:
            assert torch.equal(value, before[key]) == (int(key.split('.')[1]) <= frozen), key


def test_frozen_stages_stay_in_evaluation():
    net = MetaSpikeFormer('nano', frozen_stages=1).eval().train()
    assert [stage.training for stage in net.stages] == [False, False, True, True]


@pytest.mark.parametrize('T', [1, 3])
def test_norm_eval_keeps_the_statistics(T):
    net = build(T=T, norm_eval=True).train()
    before = running(net)
    loss(net(frames())).backward()
    assert net.training and all(torch.equal(value, before[key]) for key, value in running(net).items())
    assert all(p.grad is not None for p in net.parameters())


# ---- bad input ----


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(arch='16m'), r"arch must be one of \['15m', '18m', .*or a dict, but got '16m'"),
        (dict(arch=dict(preset='huge')), "but got 'huge'"),
        (dict(arch=dict(preset='nano', depth=3)), "arch must have the fields .*but got {'depth'}"),
        (dict(arch=dict(num_heads=4)), "arch must name a .preset. or have .*embed_dims.*, but got {'num_heads': 4}"),
        (dict(arch=dict(preset='nano', depths=(1, 1))), 'embed_dims, depths, blocks and strides must be equally long'),
        (dict(arch=dict(preset='nano', blocks=('conv', 'mlp') * 2)), "'conv' and 'transformer', but got 'mlp'"),
        (dict(arch=dict(preset='nano', num_heads=5)), 'embed_dims must be divisible by num_heads, but got 64 and 5'),
        (dict(T=0), 'T must be a positive number of time steps, but got 0'),
        (dict(T=1.5), 'T must be a positive number of time steps, but got 1.5'),
        (dict(sdsa=5), 'sdsa must be 1, 2, 3 or 4, but got 5'),
        (dict(shortcut='cnf'), r"shortcut must be one of \['membrane', 'sew', 'vanilla'\], but got 'cnf'"),
        (dict(out_indices=(0, 4)), r'out_indices must be stages from -4 to 3, but got \(0, 4\)'),
        (dict(out_indices=(-5,)), 'out_indices must be stages from -4 to 3'),
        (dict(frozen_stages=4), 'frozen_stages must be -1 to 3, but got 4'),
        (dict(frozen_stages=-2), 'frozen_stages must be -1 to 3, but got -2'),
        (dict(time_reduction='sum'), "time_reduction must be None or 'mean', but got 'sum'"),
        (dict(drop_path_rate=1.0), r'drop_path_rate must be in \[0, 1\), but got 1.0'),
        (dict(drop_path_rate=-0.1), r'drop_path_rate must be in \[0, 1\), but got -0.1'),
        (dict(neuron=dict(type='Relu')), "neuron type must be one of .*but got 'Relu'"),
    ],
    ids=lambda value: '' if isinstance(value, str) else str(value),
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        MetaSpikeFormer(**{'arch': 'nano', **options})


@pytest.mark.parametrize(
    'shape, message',
    [
        ((3, 32, 32), r'x must be \[B, C, H, W\] or \[T, B, C, H, W\], but got shape \(3, 32, 32\)'),
        ((1, 1, 1, 3, 32, 32), r'x must be \[B, C, H, W\] or \[T, B, C, H, W\]'),
        ((1, 2, 32, 32), r'x must have 3 channels, but got 2 in \(1, 2, 32, 32\)'),
        ((2, 1, 4, 32, 32), 'x must have 3 channels, but got 4'),
        ((1, 3, 32, 4), r'x must be at least 8 x 8 pixels, but got shape \(1, 3, 32, 4\)'),
    ],
    ids=lambda value: str(value) if isinstance(value, tuple) else '',
)
def test_bad_input_is_refused(shape, message):
    with pytest.raises(ValueError, match=message):
        MetaSpikeFormer('nano')(torch.zeros(shape))


# ---- Meta-SpikeFormer: options ----


def test_outputs_are_membranes_spikes_or_integers():
    x = frames()
    assert build('nano').eval()(x)[-1].unique().numel() > 100
    assert build('vanilla').eval()(x)[-1].unique().tolist() == [0, 1]
    integers = build('sew').eval()(x)[-1]
    assert integers.max() > 1 and torch.equal(integers, integers.round())


def test_drop_path_grows_linearly_from_zero():
    net = MetaSpikeFormer('nano', drop_path_rate=0.4)
    rates = [m.drop_path for stage in net.stages for block in stage[1:] for m in block.modules()
             if isinstance(m, Shortcut)]
    assert rates == pytest.approx([0.0, 0.0, 0.1, 0.1, 0.2, 0.2, 0.3, 0.3, 0.4, 0.4])


def test_drop_path_acts_in_training_only():
    net, x = build('nano'), frames()
    for shortcut in (m for m in net.modules() if isinstance(m, Shortcut)):
        shortcut.drop_path = 0.5
    assert_equal(net.eval()(x), net(x))
    assert not torch.equal(net.train()(x)[-1], net(x)[-1])


@torch.no_grad()
def test_residual_branches_may_start_at_zero():
    net = MetaSpikeFormer('nano', residual_init=0.0).eval()
    for i, (_, *blocks) in enumerate(net.stages):
        x = 2 * torch.randn(2, 1, net.stage_channels[i], 8, 8, generator=torch.Generator().manual_seed(i))
        assert all(torch.equal(block(x), x) for block in blocks)
        assert not any(torch.equal(block(x), x) for block in build().eval().stages[i][1:])


def test_the_scale_merged_into_the_thresholds_gives_the_same_spikes():
    scaled, merged = build('nano').eval(), build('merged scale').eval()
    merged.load_state_dict(scaled.state_dict())
    assert_equal(merged(frames()), scaled(frames()))


def test_the_neuron_of_the_config_is_everywhere():
    net = MetaSpikeFormer('nano', neuron=dict(type='LIF', tau=3.0, v_reset=None))
    neurons = [m for m in net.modules() if hasattr(m, 'surrogate_function')]
    assert len(neurons) == 3 + 2 * 4 + 3 * 7  # downsampling, convolutional and transformer blocks
    assert all(m.tau == 3.0 and m.v_reset is None for m in neurons)


@pytest.mark.parametrize('scope', ['mmdet', 'mmseg', 'mmpretrain'])
def test_builds_from_a_config_of_any_task_library(scope):
    with DefaultScope.overwrite_default_scope(scope):
        net = CLS_MODELS.build(dict(type='spikemm.MetaSpikeFormer', arch='nano', T=2))
    assert isinstance(net, MetaSpikeFormer) and net.T == 2


TABLE_5 = {
    'baseline': (dict(), 31.3),
    'without SepConv': (dict(arch=dict(preset='31m', sep_conv=False)), 30.9),
    'ChannelMLP for ChannelConv': (dict(arch=dict(preset='31m', channel_kernel=1)), 25.9),
    'four stages': (
        dict(arch=dict(embed_dims=(96, 192, 384, 480), depths=(2, 2, 6, 2), strides=(4, 2, 2, 1),
                       blocks=('conv', 'conv', 'transformer', 'transformer'))), 31.8),
    'linear Q K V': (dict(arch=dict(preset='31m', rep_qkv=False)), 27.2),
    'linear projection': (dict(arch=dict(preset='31m', rep_proj=False)), 30.0),
    'SDSA-1': (dict(sdsa=1), 31.3),
    'SDSA-2': (dict(sdsa=2), 28.6),
    'SDSA-4': (dict(sdsa=4), 31.3),
    'vanilla shortcut': (dict(shortcut='vanilla'), 31.3),
    'SEW shortcut': (dict(shortcut='sew'), 31.3),
    'stage 4 as stage 3': (
        dict(arch=dict(embed_dims=(48, 96, 192, 384), depths=(1, 1, 2, 8), strides=(2, 2, 2, 2),
                       blocks=('conv', 'conv', 'conv', 'transformer'))), 26.9),
    'transformer blocks only': (dict(arch=dict(preset='31m', blocks=('transformer',) * 5)), 26.2),
    'convolutional blocks only': (
        dict(arch=dict(preset='31m', embed_dims=(48, 96, 192, 204, 244), blocks=('conv',) * 5)), 36.0),
}


def millions(**options) -> float:
    """Parameters with a linear classifier of 1000 classes."""
    with torch.device('meta'):
        net = MetaSpikeFormer(**options)
    return (sum(p.numel() for p in net.parameters()) + (net.out_channels[0] + 1) * 1000) / 1e6


@pytest.mark.parametrize('arch, expected', [('15m', 15.1), ('31m', 31.3), ('55m', 55.4)])
def test_parameters_are_those_of_table_1(arch, expected):
    assert round(millions(arch=arch), 1) == expected


@pytest.mark.parametrize('row', TABLE_5)
def test_parameters_are_those_of_table_5(row):
    options, expected = TABLE_5[row]
    assert millions(**{'arch': '31m', **options}) == pytest.approx(expected, abs=0.1)


# ---- Meta-SpikeFormer: the reference code ----


def reference(golden, name: str, **options) -> tuple[ImageClassifier, dict[str, Tensor]]:
    """The classifier with the published key names loaded, and what the reference code computed with them."""
    tensors, meta = golden(name)
    stem, *_, last = [meta['embed_dim'][0] // 2, *meta['embed_dim']]
    arch = dict(embed_dims=(stem, *meta['embed_dim']), num_heads=meta['num_heads'])
    model = ImageClassifier(
        backbone=dict(type='spikemm.MetaSpikeFormer', arch=arch, T=meta['T'], out_indices=range(5), **options),
        head=dict(type='spikemm.SpikeLinearClsHead', num_classes=meta['num_classes'], in_channels=last))
    published = {k.removeprefix('state.'): v for k, v in tensors.items() if k.startswith('state.')}
    model.load_state_dict(convert_state_dict('sdt-v2', published), strict=True)
    return model.eval(), tensors


def watched(model: ImageClassifier) -> dict[str, Tensor]:
    """What passes the places that the golden files name ``feat.*``, filled by a call."""
    seen, stages = {}, model.backbone.stages
    block = stages[3][1]
    sdsa = block.mixer.branch
    places = {
        'block3_0_attn_head_lif': block.mixer.neuron,
        'block3_0_attn_q_lif': sdsa.q_neuron,
        'block3_0_attn_k_lif': sdsa.k_neuron,
        'block3_0_attn_v_lif': sdsa.v_neuron,
        'block3_0_attn_lif_out': sdsa.attn_neuron,
        'block3_0_attn_out': sdsa,
        'block3_0_mlp_out': block.channels.branch,
        'pooled_spikes': model.head.neuron,
    }
    for name, module in places.items():
        module.register_forward_hook(lambda module, args, out, name=name: seen.__setitem__(name, out))
    inputs = {'block3_0_attn_lif_in': sdsa.attn_neuron, 'pooled': model.head.neuron}
    for name, module in inputs.items():
        module.register_forward_pre_hook(lambda module, args, name=name: seen.__setitem__(name, args[0]))
    stem = stages[0][0]  # an image does not pass the hooks of its forward
    stem.forward_image = lambda x, T: seen.setdefault('stem', Downsample.forward_image(stem, x, T))
    return seen


GOLDEN = ['sdt_v2_T1', 'sdt_v2_T2', 'sdt_v2_train_T2']


@pytest.mark.parametrize('name', GOLDEN[:2])
@torch.no_grad()
def test_every_feature_is_that_of_the_reference(golden, name):
    model, expected = reference(golden, name)
    seen = watched(model)
    outs = model.backbone(expected['input'])
    spikes = model.head.pre_logits(outs)
    seen |= dict(zip(('stage1_1', 'stage1_2', 'stage2', 'stage3', 'stage4'), outs, strict=True))
    seen['head_per_step'] = model.head.fc(spikes)
    features = {k.removeprefix('feat.'): v for k, v in expected.items() if k.startswith('feat.')}
    assert set(features) == set(seen)
    for key, value in features.items():
        assert value.abs().sum() > 0, key
        torch.testing.assert_close(seen[key].reshape(value.shape), value.float(), rtol=1e-4, atol=1e-4, msg=key)


@pytest.mark.parametrize('options', [dict(), dict(sdsa_scale=None), dict(with_cp=True)], ids=str)
@pytest.mark.parametrize('name', GOLDEN[:2])
@torch.no_grad()
def test_logits_are_those_of_the_reference(golden, name, options):
    model, expected = reference(golden, name, **options)
    torch.testing.assert_close(model(expected['input']), expected['output.logits'], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize('mode', ['fast', 'spike'])
@pytest.mark.parametrize('name', GOLDEN[:2])
@torch.no_grad()
def test_logits_of_folded_models_are_those_of_the_reference(golden, name, mode):
    model, expected = reference(golden, name)
    logits = reparameterize(model, mode)(expected['input'])
    torch.testing.assert_close(logits, expected['output.logits'], rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_one_image_of_the_reference_alone_or_as_a_sequence(golden):
    model, expected = reference(golden, 'sdt_v2_T2')
    logits, x = expected['output.logits'][:1], expected['input'][:1]
    torch.testing.assert_close(model(x), logits, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(model(x.expand(2, *x.shape)), logits, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(model(x.to(memory_format=torch.channels_last)), logits, rtol=1e-4, atol=1e-4)


@pytest.fixture
def trained(golden):
    """One training step of the reference."""
    model, expected = reference(golden, 'sdt_v2_train_T2')
    logits = model.train()(expected['input'])
    loss = nn.functional.cross_entropy(logits, expected['labels'])
    loss.backward()
    return model, expected, logits, loss


def test_a_training_step_has_the_loss_of_the_reference(trained):
    _, expected, logits, loss = trained
    torch.testing.assert_close(logits, expected['output.logits'], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(loss[None], expected['output.loss'], rtol=1e-5, atol=1e-5)


def test_a_training_step_has_the_gradients_of_the_reference(trained):
    model, expected, *_ = trained
    gradients = {k.removeprefix('grad.'): v for k, v in expected.items() if k.startswith('grad.')}
    gradients = convert_state_dict('sdt-v2', gradients)
    ours = {k: p.grad for k, p in model.named_parameters()}
    assert len(gradients) > 5
    for key, value in gradients.items():
        assert value.norm() > 0 and (ours[key] - value).norm() < 1e-3 * value.norm(), key


def test_a_training_step_leaves_the_statistics_of_the_reference(trained):
    model, expected, *_ = trained
    after = {k.removeprefix('after.'): v for k, v in expected.items() if k.startswith('after.')}
    after, ours = convert_state_dict('sdt-v2', after), model.state_dict()
    assert len(after) > 100
    for key, value in after.items():
        torch.testing.assert_close(ours[key], value.reshape(ours[key].shape), rtol=1e-4, atol=1e-4, check_dtype=False)


@pytest.mark.parametrize('options', [dict(with_cp=True), dict(watched=True)], ids=['recomputed', 'watched'])
def test_a_training_step_may_be_recomputed_or_watched(golden, trained, options):
    model, expected, logits, _ = trained
    other, _ = reference(golden, 'sdt_v2_train_T2', with_cp=options.get('with_cp', False))
    for module in other.modules() if options.get('watched') else ():
        module.register_forward_hook(lambda module, args, out: None)
    again = other.train()(expected['input'])
    nn.functional.cross_entropy(again, expected['labels']).backward()
    torch.testing.assert_close(again, logits, rtol=1e-4, atol=1e-4)
    for (key, ours), theirs in zip(other.named_parameters(), model.parameters(), strict=True):
        assert (ours.grad - theirs.grad).norm() <= 1e-3 * theirs.grad.norm() + 1e-5, key
    for key, value in other.state_dict().items():
        torch.testing.assert_close(value, model.state_dict()[key], rtol=1e-4, atol=1e-4, msg=key)


@pytest.mark.cuda
@torch.no_grad()
def test_a_gpu_has_the_logits_of_the_reference(golden):
    model, expected = reference(golden, 'sdt_v2_T2')
    logits = model.cuda()(expected['input'].cuda()).cpu()
    torch.testing.assert_close(logits, expected['output.logits'], rtol=1e-4, atol=1e-4)
