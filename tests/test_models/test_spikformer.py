"""Spikformer: its own options, and the reference code (golden/spikformer_v1_*, and the keys of published models)."""

import gzip
import json
from pathlib import Path

import pytest
import torch
from mmpretrain.models.classifiers import ImageClassifier
from small_nets import assert_reference, firing, strengthen
from torch import Tensor, nn

from spikemm.layers.shortcut import Shortcut
from spikemm.models import convert_state_dict, reparameterize
from spikemm.models.backbones import Spikformer

KEYS = Path(__file__).parents[1] / 'data/golden/spikformer_keys.json.gz'  # preset -> [[key, shape], ...]
PUBLISHED = json.loads(gzip.decompress(KEYS.read_bytes()))
GOLDEN = {
    'spikformer_v1_imagenet_T2': dict(),
    'spikformer_v1_cifar10_T2': dict(pools=(False, False, True, True), qkv_bias=True),
}
every_golden = pytest.mark.parametrize('name', GOLDEN)


def classifier(arch: str | dict, width: int, classes: int, **backbone) -> ImageClassifier:
    head = dict(type='spikemm.SpikeLinearClsHead', num_classes=classes, in_channels=width, neuron=None)
    return ImageClassifier(backbone=dict(type='spikemm.Spikformer', arch=arch, **backbone), head=head)


def reference(golden, name: str) -> tuple[ImageClassifier, dict[str, Tensor]]:
    """The classifier with the published key names loaded, and what the reference code computed with them."""
    tensors, meta = golden(name)
    sizes = meta['constructor']
    arch = dict(embed_dims=sizes['embed_dims'], depth=sizes['depths'], num_heads=sizes['num_heads'], **GOLDEN[name])
    model = classifier(arch, sizes['embed_dims'], sizes['num_classes'], T=meta['T'])
    published = {k.removeprefix('state.'): v for k, v in tensors.items() if k.startswith('state.')}
    model.load_state_dict(convert_state_dict('spikformer', published), strict=True)
    return model.eval(), tensors


def strong(**options) -> Spikformer:
    torch.manual_seed(0)
    return strengthen(Spikformer('nano', **options)).eval()


def frames(B: int = 2, size: int = 32) -> Tensor:
    return 2 * torch.randn(B, 3, size, size, generator=torch.Generator().manual_seed(0))


# ---- the reference code ----


@every_golden
@torch.no_grad()
def test_every_feature_is_that_of_the_reference(golden, name):
    model, expected = reference(golden, name)
    _, position, *blocks = model.backbone.stages[3]
    places = {'patch_embed': position, 'block0_attn': blocks[0][0].neuron}
    places['block0_attn_lif_out'] = blocks[0][0].branch.attn_neuron
    places |= {f'block{i}': block for i, block in enumerate(blocks)}
    seen = {}
    for key, module in places.items():
        module.register_forward_hook(lambda module, args, out, key=key: seen.__setitem__(key, out.flatten(3)))
    model(expected['input'])
    features = {k.removeprefix('feat.'): v for k, v in expected.items() if k.startswith('feat.')}
    assert set(features) == set(seen)
    for key, value in features.items():
        theirs = value.transpose(2, 3) if 'cifar10' in name else value.flatten(3)  # [T, B, N, C] there
        assert value.any() and torch.equal(seen[key], theirs.to(seen[key])), key


@every_golden
@pytest.mark.parametrize('mode', [None, 'fast', 'spike'])
@torch.no_grad()
def test_the_logits_are_those_of_the_reference(golden, name, mode):
    model, expected = reference(golden, name)
    model = reparameterize(model, mode) if mode else model
    assert_reference(model(expected['input']), expected['output.logits'])


@pytest.mark.parametrize('arch', PUBLISHED)
def test_every_published_key_and_shape_is_ours(arch):
    classes, width = next(shape for key, shape in PUBLISHED[arch] if key == 'head.weight')
    with torch.device('meta'):
        model = classifier(arch, width, classes)
    published = {key: torch.empty(shape, device='meta') for key, shape in PUBLISHED[arch]}
    converted = {key: value.shape for key, value in convert_state_dict('spikformer', published).items()}
    assert converted == {key: value.shape for key, value in model.state_dict().items()}
    assert len(converted) == len([key for key in published if '.norm' not in key])  # no two keys became one


@pytest.mark.parametrize('arch, millions', [('8-384', 16.8), ('6-512', 23.4), ('8-512', 29.7), ('8-768', 66.3)])
def test_parameters_are_those_of_the_paper(arch, millions):
    with torch.device('meta'):
        model = classifier(arch, int(arch.split('-')[1]), 1000)
    assert round(sum(p.numel() for p in model.parameters()) / 1e6, 1) == millions


def test_keys_are_renamed_as_read_from_the_codes():
    pairs = {
        'patch_embed.proj_conv.weight': 'backbone.stages.0.0.conv.conv.weight',
        'patch_embed.proj_bn2.running_var': 'backbone.stages.2.0.conv.bn.running_var',
        'patch_embed.rpe_conv.weight': 'backbone.stages.3.1.branch.conv.weight',
        'block.0.attn.q_conv.weight': 'backbone.stages.3.2.0.branch.q.conv.weight',
        'block.7.attn.proj_linear.bias': 'backbone.stages.3.9.0.branch.proj.conv.bias',
        'block.1.mlp.fc2_bn.bias': 'backbone.stages.3.3.1.branch.fc2.bn.bias',
        'head.bias': 'head.fc.bias',
    }
    assert list(convert_state_dict('spikformer', {key: torch.zeros(1) for key in pairs})) == list(pairs.values())


def test_what_the_codes_build_and_never_call_is_dropped():
    keys = ['block.3.norm1.weight', 'block.0.norm2.bias', 'norm.weight', 'pos_embed']
    assert convert_state_dict('spikformer', {key: torch.zeros(1) for key in keys}) == {}


@pytest.mark.parametrize('key', ['block.0.attn.x_conv.weight', 'block.0.norm3.bias', 'patch_embed.proj_conv4.weight'])
def test_a_key_of_another_model_is_refused(key):
    with pytest.raises(ValueError, match=f"'{key}' is not a key of 'spikformer' weights"):
        convert_state_dict('spikformer', {key: torch.zeros(1)})


# ---- options ----


@torch.no_grad()
def test_the_stem_hands_on_spikes_and_the_blocks_integers():
    net = strong(T=2, out_indices=range(4))
    *stem, last = net(frames())
    assert min(firing(net, lambda: net(frames()))) > 0
    assert all(x.unique().tolist() == [0, 1] for x in stem)
    assert last.max() > 1 and torch.equal(last, last.round())


@pytest.mark.parametrize(
    'arch, strides', [('nano', (2, 4, 8, 8)), ('cifar10-4-384', (1, 1, 2, 4)), ('cifar10-dvs', (2, 4, 8, 16)),
                      ('8-512', (2, 4, 8, 16))])
def test_max_poolings_make_the_strides(arch, strides):
    with torch.device('meta'):
        net = Spikformer(arch, out_indices=range(4))
        outs = net(torch.empty(1, 3, 32, 32))
    assert net.stage_strides == strides
    assert [32 // x.shape[-1] for x in outs] == list(strides)


def test_the_scale_of_attention_and_its_biases_are_sizes_of_the_preset():
    with torch.device('meta'):
        attention = {arch: Spikformer(arch).stages[3][2][0].branch for arch in Spikformer.ARCHS}
    assert {arch: x.scale for arch, x in attention.items() if x.scale != 0.125} == {'cifar10-dvs': 0.25}
    assert [arch for arch, x in attention.items() if x.q.conv.bias is not None] == ['cifar10-4-384']
    assert all(x.attn_neuron.v_threshold == 0.5 and x.proj.conv.bias is not None for x in attention.values())


def test_the_neuron_of_the_config_is_everywhere():
    net = Spikformer('nano', neuron=dict(type='LIF', tau=3.0))
    neurons = [m for m in net.modules() if hasattr(m, 'surrogate_function')]
    assert len(neurons) == 4 + 1 + 7  # stem, positional convolution, block
    assert all(m.tau == 3.0 for m in neurons)


def test_drop_path_grows_linearly_from_zero():
    net = Spikformer(dict(preset='nano', depth=3), drop_path_rate=0.2)
    rates = [m.drop_path for m in net.modules() if isinstance(m, Shortcut)]
    assert rates == pytest.approx([0.0, 0.0, 0.0, 0.1, 0.1, 0.2, 0.2])  # first of the positional convolution


@torch.no_grad()
def test_a_silent_branch_leaves_the_residual_as_it_is():
    net = strong()
    block, x = net.stages[3][2], net(frames())[0]
    assert not torch.equal(block(x), x)
    for shortcut in block:
        *_, norm = (m for m in shortcut.modules() if isinstance(m, nn.BatchNorm2d))
        norm.weight.zero_()
        norm.bias.zero_()
    assert torch.equal(block(x), x)


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(arch='8-1024'), "arch must be one of .*'8-768'.* or a dict, but got '8-1024'"),
        (dict(arch=dict(preset='nano', num_heads=7)), 'embed_dims must be divisible by 8 and by num_heads'),
        (dict(arch=dict(preset='nano', embed_dims=100)), 'embed_dims must be divisible by 8 and by num_heads'),
        (dict(arch=dict(preset='nano', pools=(True,))), r'pools must be 4, one a stage of the stem, but got \(True,\)'),
        (dict(arch=dict(preset='nano', depth=0)), 'depth must be a positive number of blocks, but got 0'),
        (dict(drop_path_rate=1.0), r'drop_path_rate must be in \[0, 1\), but got 1.0'),
    ],
    ids=lambda value: '' if isinstance(value, str) else str(value),
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Spikformer(**{'arch': 'nano', **options})
