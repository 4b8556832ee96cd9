"""Spike-driven Transformer (V1) against the reference code (golden/sdt_v1_*), its published keys and its options."""

import functools
import gzip
import json
from pathlib import Path

import pytest
import torch
from mmpretrain.models.classifiers import ImageClassifier
from small_nets import assert_reference, firing, strengthen, tensor
from torch import Tensor

from spikemm.layers import PooledSDSA
from spikemm.models import convert_state_dict, reparameterize
from spikemm.models.backbones import SpikeDrivenTransformer

KEYS = Path(__file__).parents[1] / 'data/golden/sdt_v1_keys.json.gz'  # preset -> [[key, shape], ...]
PUBLISHED = json.loads(gzip.decompress(KEYS.read_bytes()))
LIF = dict(type='LIF')


def classifier(arch: str | dict, width: int, classes: int = 10, **backbone) -> ImageClassifier:
    return ImageClassifier(
        backbone=dict(type='spikemm.SpikeDrivenTransformer', arch=arch, **backbone),
        head=dict(type='spikemm.SpikeLinearClsHead', num_classes=classes, in_channels=width))


def reference(golden, name: str) -> tuple[ImageClassifier, dict[str, Tensor]]:
    """Our classifier with those weights that a golden file has, and the file's tensors."""
    tensors, settings = golden(name)
    args = settings['constructor']
    arch = dict(
        embed_dims=args['embed_dims'], depth=args['depths'], num_heads=args['num_heads'], mlp_ratio=args['mlp_ratios'],
        strides=[int(pool) + 1 for pool in args['pooling_stat']], pooled_attention=args['dvs_mode'])
    net = classifier(arch, args['embed_dims'], T=settings['T'], in_channels=args['in_channels']).eval()
    published = {key.removeprefix('state.'): value for key, value in tensors.items() if key.startswith('state.')}
    missing, unexpected = net.load_state_dict(convert_state_dict('sdt-v1', published), strict=False)
    assert not unexpected and (not missing or 'cifar' in name)
    return net, tensors


folded = pytest.mark.parametrize(
    'fold', [lambda net: net, reparameterize, functools.partial(reparameterize, mode='spike')],
    ids=['as trained', 'fast', 'spike'])


@folded
@torch.no_grad()
def test_images_give_the_reference_s_features_and_logits(golden, fold):
    net, tensors = reference(golden, 'sdt_v1_imagenet_T2')
    net, masks = fold(net), []
    net.backbone.stages[3][2].mixer.branch.attn_neuron.register_forward_hook(lambda m, args, out: masks.append(out))
    firing(net, lambda: net(tensors['input']))
    assert torch.equal(masks[0].flatten(2), tensors['feat.block0_kv'].float().flatten(2))
    assert_reference(net.extract_feat(tensors['input']), tensors['feat.block1'])
    assert_reference(net(tensors['input']), tensors['output.logits'])


@folded
@torch.no_grad()
def test_small_images_give_the_reference_s_patch_embedding(golden, fold):
    net, tensors = reference(golden, 'sdt_v1_cifar_T2')
    net, seen = fold(net), []
    net.backbone.stages[3][1].register_forward_hook(lambda module, args, out: seen.append(out))
    net.backbone(tensors['input'])
    assert_reference(seen, tensors['feat.patch_embed'])


@folded
@torch.no_grad()
def test_events_give_the_reference_s_features_and_logits_of_every_step(golden, fold):
    net, tensors = reference(golden, 'sdt_v1_dvs_T3_TET')
    net, clip, read = fold(net), tensors['input'].transpose(0, 1), []  # published as [B, T, C, H, W]
    attention = net.backbone.stages[3][2].mixer.branch
    attention.proj.register_forward_pre_hook(lambda module, args: read.append(args[0]))
    firing(net, lambda: net.head(net.backbone(clip)))
    T, B, heads, N, d = tensors['feat.block0_x_after_qkv'].shape
    ours = read[0].reshape(T, B, heads, d, N).transpose(-2, -1)
    assert torch.equal(ours, tensors['feat.block0_x_after_qkv'].float())
    feats = net.backbone(clip)
    assert_reference(feats, tensors['feat.block1'])
    assert_reference(net.head.fc(net.head.pre_logits(feats)), tensors['output.logits'])


@pytest.mark.parametrize('preset', PUBLISHED)
def test_every_published_key_and_shape_is_ours(preset):
    state = {key: torch.empty(shape, device='meta') for key, shape in PUBLISHED[preset]}
    classes, width = state['head.weight'].shape
    with torch.device('meta'):
        net = classifier(preset, width, classes, in_channels=state['patch_embed.proj_conv.weight'].shape[1])
    dropped = sum('talking_heads' in key for key in state)
    assert dropped == net.backbone.arch.depth and len(net.state_dict()) == len(state) - dropped
    converted = {key: value.shape for key, value in convert_state_dict('sdt-v1', state).items()}
    assert converted == {key: value.shape for key, value in net.state_dict().items()}


@pytest.mark.parametrize('preset, millions', [
    ('8-384', 16.81), ('6-512', 23.37), ('8-512', 29.7), ('10-512', 36.01), ('8-768', 66.3)])
def test_parameters_are_those_of_the_papers(preset, millions):
    with torch.device('meta'):
        net = classifier(preset, int(preset.split('-')[1]), 1000)
    assert sum(p.numel() for p in net.parameters()) / 1e6 == pytest.approx(millions, abs=0.05)


@pytest.mark.parametrize('key', [
    'patch_embed.proj_conv4.weight', 'block.0.attn.talking_heads.bias', 'block.0.attn.x_conv.weight', 'head.scale'])
def test_a_key_of_another_model_is_refused(key):
    with pytest.raises(ValueError, match=f"'{key}' is not a key of 'sdt-v1' weights"):
        convert_state_dict('sdt-v1', {key: torch.zeros(1)})


def test_the_stem_s_stages_give_binary_spikes_and_the_last_stage_membranes():
    net = strengthen(SpikeDrivenTransformer('nano', out_indices=range(4))).eval()
    *stem, last = net(tensor(2, 3, 32, 32))
    assert [x.unique().tolist() for x in stem] == [[0, 1]] * 3
    assert last.unique().numel() > 100


def test_nano_has_the_strides_of_small_images():
    net = SpikeDrivenTransformer('nano', T=2, out_indices=range(4))
    assert (net.stage_strides, net.stage_channels) == ((2, 4, 8, 8), (12, 24, 48, 96))
    assert [x.shape[2:] for x in net(torch.randn(1, 3, 32, 32))] == [(12, 16, 16), (24, 8, 8), (48, 4, 4), (96, 4, 4)]


def test_pooled_attention_pools_over_tokens_and_over_the_channels_of_a_head():
    x = torch.zeros(1, 1, 6, 2, 3)
    x[0, 0, 1, 1, 0] = 1  # head 0 of channels 0 to 2; token 3, in the middle of them
    pooled = PooledSDSA(6, 2, LIF).pool_heads(x)[0, 0].flatten(1)
    assert pooled[:3].tolist() == [[0, 0, 1, 1, 1, 0]] * 3
    assert pooled[3:].sum() == 0, 'the other head'


@torch.no_grad()
def test_pooled_attention_sends_spikes_to_its_projection():
    attention = strengthen(PooledSDSA(16, 4, LIF)).eval()
    seen = []
    attention.proj.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    spikes = (tensor(3, 2, 16, 4, 4) > 1).float()
    firing(attention, lambda: attention(spikes))
    assert seen[0].unique().tolist() == [0, 1]


def test_residual_branches_start_with_the_given_weight():
    net = SpikeDrivenTransformer(dict(preset='nano', depth=1), residual_init=0.2)
    _, position, block = net.stages[3]
    norms = [position.branch.bn, block.mixer.branch.proj.bn, block.channels.branch.fc2.bn]
    assert all(torch.equal(norm.weight, torch.full_like(norm.weight, 0.2)) for norm in norms)


def test_drop_path_grows_from_block_to_block():
    net = SpikeDrivenTransformer(dict(preset='nano', depth=3), drop_path_rate=0.4)
    rates = [(block.mixer.drop_path, block.channels.drop_path) for block in net.stages[3][2:]]
    assert rates == [(0.0, 0.0), (0.2, 0.2), (0.4, 0.4)] and net.stages[3][1].drop_path == 0


def test_convolutions_start_as_in_the_released_code():
    net = SpikeDrivenTransformer('nano')
    net.init_weights()
    assert net.stages[3][1].branch.conv.weight.std().item() == pytest.approx(0.02, rel=0.05)


@pytest.mark.parametrize('options, message', [
    (dict(arch='9-384'), "arch must be one of .*'8-384'.* or a dict, but got '9-384'"),
    (dict(arch=dict(preset='nano', embed_dims=100)), 'embed_dims must be divisible by 8 and by num_heads'),
    (dict(arch=dict(preset='nano', num_heads=5)), 'embed_dims must be divisible by 8 and by num_heads'),
    (dict(arch=dict(preset='nano', strides=(2, 2, 2))), r'strides must be 4 numbers, each 1 or 2, but got \(2, 2, 2\)'),
    (dict(arch=dict(preset='nano', strides=(4, 2, 2, 1))), 'strides must be 4 numbers, each 1 or 2'),
    (dict(arch=dict(preset='nano', depth=0)), 'depth must be a positive number of blocks, but got 0'),
    (dict(drop_path_rate=1.0), r'drop_path_rate must be in \[0, 1\), but got 1.0'),
], ids=lambda value: '' if isinstance(value, str) else str(value))
def test_bad_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        SpikeDrivenTransformer(**{'arch': 'nano', **options})
