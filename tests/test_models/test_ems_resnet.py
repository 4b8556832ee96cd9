"""EMS-ResNet: its own options, and the reference code (golden/ems_blocks_*)."""

import re

import pytest
import torch
from small_nets import assert_reference, firing, inputs_of_weight_layers, strengthen
from torch import Tensor

from spikemm.models import convert_state_dict, reparameterize
from spikemm.models.backbones import EMSResNet
from spikemm.models.backbones.ms_resnet import NEURON
from spikemm.neurons import build_neuron

# Blocks of the golden chain that the backbone has, after the stem: in and out channels, stride, shortcut.
CHAIN = {1: (8, 8, 2, 'maxpool'), 2: (8, 8, 1, 'maxpool'), 3: (8, 12, 2, 'concat'), 4: (12, 16, 2, 'maxpool'),
         5: (16, 24, 1, 'concat')}


def strong(**options) -> EMSResNet:
    torch.manual_seed(0)
    return strengthen(EMSResNet('nano', **{'T': 3, 'out_indices': range(4), **options})).eval()


def frames(B: int = 2, size: int = 32) -> Tensor:
    return 2 * torch.randn(B, 3, size, size, generator=torch.Generator().manual_seed(0))


def published_block(tensors: dict[str, Tensor], i: int) -> dict[str, Tensor]:
    """Weights of block ``i`` of the chain, as those of our block; they go through the converter as module 7."""
    at = re.compile(rf'state\.{i}\.')
    state = {at.sub('model.7.', key): value for key, value in tensors.items() if at.match(key)}
    return {k.removeprefix('backbone.stages.3.0.'): v for k, v in convert_state_dict('ems-resnet', state).items()}


# ---- the reference code ----


@pytest.mark.parametrize('i', CHAIN)
@torch.no_grad()
def test_every_block_is_that_of_the_reference(golden, i):
    tensors, _ = golden('ems_blocks_T2')
    in_channels, out_channels, stride, shortcut = CHAIN[i]
    net = EMSResNet(dict(depths=(1,), channels=(out_channels,), strides=(1,)), shortcut=shortcut)
    block = net.build_block(in_channels, 0, stride, 0.0).eval()
    block.load_state_dict(published_block(tensors, i), strict=True)
    firing(block, lambda: block(tensors[f'feat.{i - 1}']))
    assert_reference(block(tensors[f'feat.{i - 1}']), tensors[f'feat.{i}'])


@pytest.mark.parametrize('folded', [False, True], ids=['trained', 'folded'])
@torch.no_grad()
def test_stem_and_stages_in_a_row_are_those_of_the_reference(golden, folded):
    tensors, meta = golden('ems_blocks_T2')
    arch = dict(depths=(2, 1), channels=(8, 12), strides=(2, 2))
    net = EMSResNet(arch, shortcut='concat', T=meta['T'], out_indices=(0, 1)).eval()
    state = {f'model.{key.removeprefix("state.")}': value for key, value in tensors.items()
             if re.match(r'state\.[0-3]\.', key)}
    ours = convert_state_dict('ems-resnet', state)
    net.load_state_dict({key.removeprefix('backbone.'): value for key, value in ours.items()}, strict=True)
    net = reparameterize(net) if folded else net
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
    }
    assert list(convert_state_dict('ems-resnet', {key: torch.zeros(1) for key in pairs})) == list(pairs.values())


@pytest.mark.parametrize('arch, shortcut', [('18', 'maxpool'), ('34', 'maxpool'), ('34', 'concat')])
def test_a_network_of_the_released_numbering_becomes_ours(arch, shortcut):
    """Keys as the yaml files have the modules; neck and head are left out."""
    with torch.device('meta'):
        net = EMSResNet(arch, shortcut=shortcut)
    state = {'model.0.conv.weight': None, 'model.9.residual_function.1.weight': None, 'model.15.anchors': None}
    state |= {f'model.0.bn.bn.{name}': None for name in NORM}
    for stage, depth in enumerate(net.arch.depths):
        state |= released_block(f'model.{2 * stage + 1}', 'pool' if shortcut == 'maxpool' or stage == 0 else 'concat')
        for j in range(depth - 1):
            state |= released_block(f'model.{2 * stage + 2}' + (f'.{j}' if depth > 2 else ''), None)
    ours = convert_state_dict('ems-resnet', {key: torch.zeros(1) for key in state})
    assert set(ours) == {f'backbone.{key}' for key in net.state_dict()}


NORM = ('weight', 'bias', 'running_mean', 'running_var', 'num_batches_tracked')


def released_block(at: str, shortcut: str | None) -> dict[str, None]:
    """Keys of a block in the released code."""
    keys = [f'{at}.residual_function.{i}.weight' for i in (1, 4)]
    keys += [f'{at}.residual_function.{i}.bn.{name}' for i in (2, 5) for name in NORM]
    if shortcut:
        i = 2 if shortcut == 'pool' else 1
        keys += [f'{at}.shortcut.{i}.weight', *(f'{at}.shortcut.{i + 1}.bn.{name}' for name in NORM)]
    return dict.fromkeys(keys)


@pytest.mark.parametrize('key', ['model.8.cv1.conv.weight', 'model.1.residual_function.3.weight', 'fc.weight'])
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
