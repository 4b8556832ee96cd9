"""EMS-ResNet and the neck of EMS-YOLO: their own options, and the reference code (golden/ems_blocks_*)."""

import re

import pytest
import torch
from small_nets import assert_reference, firing, inputs_of_weight_layers, loss, strengthen, tensor
from torch import Tensor, nn

from spikemm import models
from spikemm.layers import ConvBN, MembraneShortcut, OverTime
from spikemm.models import EMSNeck, convert_state_dict, reparameterize
from spikemm.models.backbones import EMSResNet
from spikemm.models.backbones.ems_resnet import ems_block
from spikemm.models.backbones.ms_resnet import NEURON, ProjectionShortcut, ResidualBranch, Stem
from spikemm.neurons import build_neuron

# Blocks of the golden chain but its stem and block 7: in and out channels, other arguments.
CHAIN = {
    1: (8, 8, dict(stride=2)),
    2: (8, 8, {}),
    3: (8, 12, dict(stride=2, shortcut='concat')),
    4: (12, 16, dict(stride=2)),
    5: (16, 24, dict(shortcut='concat')),
    6: (24, 16, dict(hidden_channels=20)),  # BasicBlock_1
    8: (12, 16, dict(hidden_channels=8, shortcut='concat')),  # ConcatBlock_ms
    9: (16, 8, dict(kernel_size=1)),
}
folds = pytest.mark.parametrize('mode', [None, 'fast', 'spike'], ids=str)


def strong(**options) -> EMSResNet:
    torch.manual_seed(0)
    return strengthen(EMSResNet('nano', **{'T': 3, 'out_indices': range(4), **options})).eval()


def frames(B: int = 2, size: int = 32) -> Tensor:
    return 2 * torch.randn(B, 3, size, size, generator=torch.Generator().manual_seed(0))


def chain_block(i: int) -> MembraneShortcut:
    """Block ``i`` of the golden chain, after the stem."""
    if i != 7:
        in_channels, out_channels, options = CHAIN[i]
        return ems_block(in_channels, out_channels, NEURON, **options)
    # BasicBlock_ms, which EMS-YOLO itself has nowhere: no neuron stands in front of the shortcut's convolution.
    projection = nn.Sequential()
    projection.add_module('pool', OverTime(nn.MaxPool2d(2)))
    projection.add_module('conv', ConvBN(16, 12))
    return ProjectionShortcut(ResidualBranch(16, 12, NEURON, stride=2, hidden_channels=6), NEURON, projection)


def published_block(tensors: dict[str, Tensor], i: int) -> dict[str, Tensor]:
    """Weights of block ``i`` of the chain, as those of our block; they go through the converter as module 7."""
    at = re.compile(rf'state\.{i}\.')
    state = {at.sub('model.7.', key): value for key, value in tensors.items() if at.match(key)}
    return {k.removeprefix('backbone.stages.3.0.'): v for k, v in convert_state_dict('ems-resnet', state).items()}


# ---- the reference code ----


@pytest.mark.parametrize('i', range(1, 10))
@folds
@torch.no_grad()
def test_every_block_is_that_of_the_reference(golden, i, mode):
    tensors, _ = golden('ems_blocks_T2')
    x, expected = tensors[f'feat.{i - 1}'], tensors['output.map' if i == 9 else f'feat.{i}']
    block = chain_block(i).eval()
    block.load_state_dict(published_block(tensors, i), strict=True)
    firing(block, lambda: block(x))
    assert_reference((reparameterize(block, mode) if mode else block)(x), expected)


@folds
@torch.no_grad()
def test_all_ten_blocks_in_a_row_are_those_of_the_reference(golden, mode):
    tensors, _ = golden('ems_blocks_T2')
    chain = nn.Sequential(Stem(3, 8, (7,), stride=2), *(chain_block(i) for i in range(1, 10))).eval()
    stem = {f'model.{k.removeprefix("state.")}': v for k, v in tensors.items() if k.startswith('state.0.')}
    ours = {k.replace('backbone.stages.0.0.', '0.'): v for k, v in convert_state_dict('ems-resnet', stem).items()}
    for i in range(1, 10):
        ours |= {f'{i}.{key}': value for key, value in published_block(tensors, i).items()}
    chain.load_state_dict(ours, strict=True)
    chain = reparameterize(chain, mode) if mode else chain
    assert_reference(chain(tensors['input']), tensors['output.map'])


@folds
@torch.no_grad()
def test_stem_and_stages_in_a_row_are_those_of_the_reference(golden, mode):
    tensors, meta = golden('ems_blocks_T2')
    arch = dict(depths=(2, 1), channels=(8, 12), strides=(2, 2))
    net = EMSResNet(arch, shortcut='concat', T=meta['T'], out_indices=(0, 1)).eval()
    state = {f'model.{key.removeprefix("state.")}': value for key, value in tensors.items()
             if re.match(r'state\.[0-3]\.', key)}
    ours = convert_state_dict('ems-resnet', state)
    net.load_state_dict({key.removeprefix('backbone.'): value for key, value in ours.items()}, strict=True)
    net = reparameterize(net, mode) if mode else net
    assert_reference(net(tensors['input']), [tensors['feat.2'], tensors['feat.3']])


def test_keys_are_renamed_as_the_modules_are_numbered():
    pairs = {
        'model.0.conv.weight': 'backbone.stages.0.0.convs.0.conv.weight',
        'model.0.bn.bn.running_mean': 'backbone.stages.0.0.convs.0.bn.running_mean',
        'model.1.residual_function.1.weight': 'backbone.stages.0.1.branch.conv1.conv.weight',
        'model.1.shortcut.2.weight': 'backbone.stages.0.1.projection.conv.conv.weight',
        'model.2.1.residual_function.5.bn.bias': 'backbone.stages.0.3.branch.conv2.bn.bias',
        'model.3.shortcut.1.weight': 'backbone.stages.1.0.projection.conv.conv.weight',
        'model.3.shortcut.2.bn.weight': 'backbone.stages.1.0.projection.conv.bn.weight',
        'model.6.4.residual_function.4.weight': 'backbone.stages.2.5.branch.conv2.conv.weight',
        'model.8.residual_function.2.bn.weight': 'backbone.stages.3.1.branch.conv1.bn.weight',  # of '18': no list
        'model.9.residual_function.1.weight': 'neck.squeeze.branch.conv1.conv.weight',
        'model.10.shortcut.3.bn.running_var': 'neck.coarse.projection.conv.bn.running_var',
        'model.11.shortcut.2.weight': 'neck.top_down.projection.conv.conv.weight',
        'model.14.residual_function.5.bn.bias': 'neck.fine.branch.conv2.bn.bias',
    }
    assert list(convert_state_dict('ems-resnet', {key: torch.zeros(1) for key in pairs})) == list(pairs.values())


HEAD = [f'model.15.{name}' for name in ('anchors', 'm.0.weight', 'm.0.bias', 'm.1.weight', 'm.1.bias')]


@pytest.mark.parametrize('arch, shortcut', [('18', 'maxpool'), ('34', 'maxpool'), ('34', 'concat')])
def test_a_network_of_the_released_numbering_becomes_ours(arch, shortcut):
    """Keys as the yaml files have the modules; the head is left out."""
    with torch.device('meta'):
        net, neck = EMSResNet(arch, shortcut=shortcut), EMSNeck()
    state = dict.fromkeys(['model.0.conv.weight', *(f'model.0.bn.bn.{name}' for name in NORM), *HEAD])
    for stage, depth in enumerate(net.arch.depths):
        state |= released_block(f'model.{2 * stage + 1}', 'pool' if shortcut == 'maxpool' or stage == 0 else 'concat')
        for j in range(depth - 1):
            state |= released_block(f'model.{2 * stage + 2}' + (f'.{j}' if depth > 2 else ''), None)
    for module in (9, 10, 11, 14):
        state |= released_block(f'model.{module}', 'pool')
    ours = convert_state_dict('ems-resnet', {key: torch.zeros(1) for key in state})
    expected = {f'backbone.{key}' for key in net.state_dict()} | {f'neck.{key}' for key in neck.state_dict()}
    assert set(ours) == expected


def test_convolutions_in_front_of_the_head_whose_outputs_are_no_spikes_are_dropped():
    conv = [f'model.{i}.{name}' for i in (10, 14) for name in ('conv.weight', *(f'bn.bn.{x}' for x in NORM))]
    assert convert_state_dict('ems-resnet', {key: torch.zeros(1) for key in conv}) == {}


NORM = ('weight', 'bias', 'running_mean', 'running_var', 'num_batches_tracked')


def released_block(at: str, shortcut: str | None) -> dict[str, None]:
    """Keys of a block in the released code."""
    keys = [f'{at}.residual_function.{i}.weight' for i in (1, 4)]
    keys += [f'{at}.residual_function.{i}.bn.{name}' for i in (2, 5) for name in NORM]
    if shortcut:
        i = 2 if shortcut == 'pool' else 1
        keys += [f'{at}.shortcut.{i}.weight', *(f'{at}.shortcut.{i + 1}.bn.{name}' for name in NORM)]
    return dict.fromkeys(keys)


@pytest.mark.parametrize('key', [
    'model.8.cv1.conv.weight', 'model.1.residual_function.3.weight', 'fc.weight', 'model.9.conv.weight',
    'model.9.0.residual_function.1.weight', 'model.11.anchors', 'model.12.residual_function.1.weight'])
def test_a_key_of_another_model_is_refused(key):
    with pytest.raises(ValueError, match=f"'{key}' is not a key of 'ems-resnet' weights"):
        convert_state_dict('ems-resnet', {key: torch.zeros(1)})


# ---- the neuron ----


def test_the_neuron_fires_above_a_half_and_keeps_a_quarter():
    x = torch.tensor([[0.5, 0.25, 0.4], [0.375, 0.5, 0.4], [0.0, 0.0, 0.5]])
    assert build_neuron(NEURON)(x).tolist() == [[0, 0, 0], [0, 1, 0], [0, 0, 1]]  # h: 0.5 0.5 0.125, 0.25 0.5625 ...


def test_the_gradient_of_the_neuron_is_one_within_a_half_of_its_threshold():
    x = torch.tensor([[-0.1, 0.1, 0.6, 0.9, 1.1]], requires_grad=True)
    build_neuron(NEURON)(x).sum().backward()
    assert x.grad.tolist() == [[0, 1, 1, 1, 0]]


# ---- options ----


@pytest.mark.parametrize('shortcut', ['maxpool', 'concat'])
@torch.no_grad()
def test_every_convolution_but_the_stem_reads_spikes(shortcut):
    net, x = strong(shortcut=shortcut), frames()
    firing(net, lambda: net(x))
    read = inputs_of_weight_layers(net, lambda: net(x))
    stem = read.pop('stages.0.0.convs.0.conv')
    assert len(stem) > 100 and len(read) == 2 * 4 + 4
    assert all(values == [0, 1] for values in read.values())


def test_new_channels_come_first_and_the_old_ones_are_kept():
    projection = strong(shortcut='concat').stages[1][0].projection
    x = torch.randn(1, 1, 16, 4, 4, generator=torch.Generator().manual_seed(0))
    out = projection(x)
    assert out.shape == (1, 1, 32, 2, 2)
    assert torch.equal(out[0, :, 16:], torch.nn.functional.max_pool2d(x[0], 2))


@pytest.mark.parametrize('arch, strides', [('nano', (2, 4, 8, 8)), ('10', (4, 8, 16, 32)), ('34', (4, 8, 16, 32))])
@pytest.mark.parametrize('shortcut', ['maxpool', 'concat'])
@torch.no_grad()
def test_stages_have_the_strides_they_say_at_odd_sizes_too(arch, strides, shortcut):
    net = EMSResNet(dict(preset=arch, depths=(1, 1, 1, 1)), shortcut=shortcut, out_indices=range(4)).eval()
    assert net.stage_strides == strides
    for out, stride in zip(net(frames(1, 67)), strides, strict=True):
        assert out.shape[-2:] == (-(-67 // stride), -(-67 // stride))


def test_norms_start_as_in_the_released_code():
    net = EMSResNet('nano')
    last = [m.branch.conv2.bn for stage in net.stages for m in stage if hasattr(m, 'branch')]
    others = [m for m in net.modules() if isinstance(m, torch.nn.BatchNorm2d) and m not in last]
    assert len(last) == 4 and len(others) == 1 + 4 + 4
    assert all(norm.weight.eq(0.1).all() for norm in last)
    assert all((norm.weight - 0.5).abs().max() < 1e-6 for norm in others)


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(shortcut='conv'), "shortcut must be 'maxpool' or 'concat', but got 'conv'"),
        (dict(arch=dict(preset='nano', pooled=False)), 'pooled must be True in an EMS-ResNet, but got False'),
        (dict(arch=dict(preset='nano', depths=(1,))), 'depths, channels and strides must be equally long'),
    ],
    ids=['shortcut', 'pooled', 'lengths'],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        EMSResNet(**{'arch': 'nano', **options})


# ---- the neck ----


def small_neck(**options) -> EMSNeck:
    return strengthen(EMSNeck((8, 12), (6, 10), channels=8, hidden_channels=16, **options)).eval()


def maps(T: int = 3) -> list[Tensor]:
    return [tensor(T, 2, 8, 5, 6), tensor(T, 2, 12, 3, 3, seed=1)]


def test_the_neck_has_the_shapes_of_the_released_one():
    with torch.device('meta'):
        shapes = {key: tuple(value.shape) for key, value in EMSNeck().state_dict().items() if value.ndim == 4}
    assert shapes == {
        'squeeze.branch.conv1.conv.weight': (1024, 512, 3, 3), 'squeeze.branch.conv2.conv.weight': (256, 1024, 3, 3),
        'squeeze.projection.conv.conv.weight': (256, 512, 1, 1),
        'coarse.branch.conv1.conv.weight': (512, 256, 3, 3), 'coarse.branch.conv2.conv.weight': (512, 512, 3, 3),
        'coarse.projection.conv.conv.weight': (512, 256, 1, 1),
        'top_down.branch.conv1.conv.weight': (128, 256, 1, 1), 'top_down.branch.conv2.conv.weight': (128, 128, 1, 1),
        'top_down.projection.conv.conv.weight': (128, 256, 1, 1),
        'fine.branch.conv1.conv.weight': (256, 384, 3, 3), 'fine.branch.conv2.conv.weight': (256, 256, 3, 3),
        'fine.projection.conv.conv.weight': (256, 384, 1, 1)}


@folds
@torch.no_grad()
def test_the_neck_is_the_released_modules_9_to_14(mode):
    neck = small_neck()
    fine, coarse = maps()  # 5 x 6 and 3 x 3
    x9 = neck.squeeze(coarse)
    x12 = neck.top_down(x9).repeat_interleave(2, -2).repeat_interleave(2, -1)[..., :5, :6]
    expected = neck.fine(torch.cat([x12, fine], 2)), neck.coarse(x9)
    firing(neck, lambda: neck([fine, coarse]))
    outs = (reparameterize(neck, mode) if mode else neck)([fine, coarse])
    assert [tuple(x.shape) for x in outs] == [(3, 2, 6, 5, 6), (3, 2, 10, 3, 3)]
    assert_reference(outs, expected)


@torch.no_grad()
def test_every_convolution_of_the_neck_reads_spikes():
    neck = small_neck()
    read = inputs_of_weight_layers(neck, lambda: neck(maps()))
    assert len(read) == 4 * 3 and all(values == [0, 1] for values in read.values())


def test_every_parameter_and_map_of_the_neck_has_a_gradient():
    neck, inputs = small_neck().train(), [x.requires_grad_() for x in maps()]
    loss(neck(inputs)).backward()
    assert all(step.abs().sum() > 0 for x in inputs for step in x.grad)
    assert all(p.grad.isfinite().all() and p.grad.abs().sum() > 0 for p in neck.parameters())


@torch.no_grad()
def test_the_neck_takes_maps_without_time_as_one_step_from_rest():
    neck, (fine, coarse) = small_neck(), maps()
    outs, first, second = neck([fine, coarse]), neck([fine[0], coarse[0]]), neck([fine[1], coarse[1]])
    for out, alone, rested in zip(outs, first, second, strict=True):
        torch.testing.assert_close(alone, out[:1])
        assert not torch.allclose(rested, out[1:2], atol=1e-3), 'neurons keep potential between steps'


@torch.no_grad()
def test_time_may_end_in_the_neck():
    steps, means = small_neck()(maps()), small_neck(time_reduction='mean')(maps())
    for out, mean in zip(steps, means, strict=True):
        assert mean.ndim == 4 and (mean - out[0]).abs().max() > 0.1
        torch.testing.assert_close(mean, out.mean(0))


def test_norms_of_the_neck_start_as_in_the_released_code():
    neck = EMSNeck((8, 12), (6, 10), channels=4, hidden_channels=16)
    last = [block.branch.conv2.bn for block in (neck.squeeze, neck.coarse, neck.top_down, neck.fine)]
    others = [m for m in neck.modules() if isinstance(m, nn.BatchNorm2d) and m not in last]
    assert all(norm.weight.eq(0.1).all() for norm in last) and len(others) == 4 * 2
    assert all((norm.weight - 0.5).abs().max() < 1e-6 for norm in others)


@pytest.mark.parametrize('head', ['SpikeYOLOXHead', 'SpikeRetinaHead'])
@torch.no_grad()
def test_heads_take_levels_of_one_width(head):
    neck = strengthen(EMSNeck((8, 12), (6, 6), channels=4, hidden_channels=16)).eval()
    head = getattr(models, head)(num_classes=2, in_channels=6, feat_channels=6, stacked_convs=1, neuron=NEURON).eval()
    scores = head(neck(maps()))[0]
    assert [tuple(x.shape[-2:]) for x in scores] == [(5, 6), (3, 3)]


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(in_channels=(8, 12, 16)), r'in_channels must be those of a fine and a coarse map, but got \(8, 12, 16\)'),
        (dict(out_channels=(8,)), r'out_channels must be those of a fine and a coarse map, but got \(8,\)'),
        (dict(time_reduction='sum'), "time_reduction must be None or 'mean', but got 'sum'"),
    ],
    ids=['in_channels', 'out_channels', 'time'],
)
def test_bad_options_of_the_neck_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        EMSNeck(**options)


def test_a_wrong_number_of_maps_is_refused():
    with pytest.raises(ValueError, match='inputs must be a fine and a coarse map, but got 3'):
        small_neck()([*maps(), maps()[1]])
