"""SEW-ResNet: its own options, and the reference code (golden/sew_resnet_*)."""

import gzip
import json
from pathlib import Path

import pytest
import torch
from mmpretrain.models.classifiers import ImageClassifier
from small_nets import assert_reference, firing, strengthen
from torch import Tensor

from spikemm.models import convert_state_dict, reparameterize
from spikemm.models.backbones import SEWResNet

KEYS = Path(__file__).parents[1] / 'data/golden/sew_resnet_keys.json.gz'  # preset -> [[key, shape], ...]
PUBLISHED = json.loads(gzip.decompress(KEYS.read_bytes()))
MILLIONS = {'18': 11.7, '34': 21.8, '50': 25.6, '101': 44.5, '152': 60.2}


def classifier(arch: str | dict, width: int, classes: int, **backbone) -> ImageClassifier:
    head = dict(type='spikemm.SpikeLinearClsHead', num_classes=classes, in_channels=width, neuron=None)
    return ImageClassifier(backbone=dict(type='spikemm.SEWResNet', arch=arch, **backbone), head=head)


def published(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix('state.'): v for k, v in state.items() if k.startswith('state.')}


@pytest.fixture
def reference(golden) -> tuple[ImageClassifier, dict[str, Tensor]]:
    """The classifier with the published weights, and what the reference code computed with them."""
    tensors, meta = golden('sew_resnet_T2')
    arch = dict(depths=meta['depths'], widths=meta['widths'])
    model = classifier(arch, meta['widths'][-1], meta['num_classes'], T=meta['T'], out_indices=range(4))
    model.load_state_dict(convert_state_dict('sew-resnet', published(tensors)), strict=True)
    return model.eval(), tensors


def strong(**options) -> SEWResNet:
    torch.manual_seed(0)
    return strengthen(SEWResNet('nano', **{'T': 4, 'out_indices': range(4), **options})).eval()


def frames(B: int = 2, size: int = 32) -> Tensor:
    return 2 * torch.randn(B, 3, size, size, generator=torch.Generator().manual_seed(0))


# ---- the reference code ----


@torch.no_grad()
def test_every_stage_is_that_of_the_reference(reference):
    model, expected = reference
    for i, ours in enumerate(model.backbone(expected['input']), 1):
        assert ours.any() and torch.equal(ours, expected[f'feat.layer{i}'].float())


@torch.no_grad()
def test_the_stem_pools_spikes_as_the_reference(reference):
    model, expected = reference
    ours = model.backbone.stages[0][0].forward_image(expected['input'], 2)
    assert ours.any() and torch.equal(ours, expected['feat.stem_spikes_pooled'].float())


@pytest.mark.parametrize('mode', [None, 'fast', 'spike'])
@torch.no_grad()
def test_the_logits_are_those_of_the_reference(reference, mode):
    model, expected = reference
    model = reparameterize(model, mode) if mode else model
    assert_reference(model(expected['input']), expected['output.logits'])


@pytest.mark.parametrize('arch', MILLIONS)
def test_every_published_key_and_shape_is_ours(arch):
    with torch.device('meta'):
        model = classifier(arch, 512 if arch in ('18', '34') else 2048, 1000)
    state = {key: torch.empty(shape, device='meta') for key, shape in PUBLISHED[arch]}
    converted = {key: value.shape for key, value in convert_state_dict('sew-resnet', state).items()}
    assert converted == {key: value.shape for key, value in model.state_dict().items()}
    assert len(converted) == len(state)  # no two keys became one
    assert round(sum(p.numel() for p in model.parameters()) / 1e6, 1) == MILLIONS[arch]


def test_keys_of_older_files_are_read_as_well():
    def older(key: str) -> str:
        key = key.replace('downsample.0.', 'downsample.0.module.')
        return key.replace('conv1.', 'conv1.module.') if key.startswith('layer') else key

    state = {key: torch.empty(shape, device='meta') for key, shape in PUBLISHED['18']}
    renamed = {older(key): value for key, value in state.items()}
    assert len(renamed.keys() - state.keys()) > 40
    assert list(convert_state_dict('sew-resnet', renamed)) == list(convert_state_dict('sew-resnet', state))


@pytest.mark.parametrize('key', ['layer5.0.conv1.0.weight', 'layer1.0.conv1.2.weight', 'conv2.weight'])
def test_a_key_of_another_model_is_refused(key):
    with pytest.raises(ValueError, match=f"'{key}' is not a key of 'sew-resnet' weights"):
        convert_state_dict('sew-resnet', {key: torch.zeros(1)})


# ---- options ----


@pytest.mark.parametrize(
    'connect, joined', [('add', [0, 1, 1, 2]), ('and', [0, 0, 0, 1]), ('iand', [0, 1, 0, 0])])
def test_spikes_are_joined_as_in_the_paper(connect, joined):
    block = SEWResNet('nano', connect=connect).stages[0][1]
    branch, shortcut = torch.tensor([0.0, 0, 1, 1]), torch.tensor([0.0, 1, 0, 1])
    block.branch.forward = lambda x: branch
    assert block.shortcut is None and block(shortcut).tolist() == joined


@torch.no_grad()
def test_adding_gives_integers_and_the_others_spikes():
    net, x = strong(connect='add'), frames()
    firing(net, lambda: net(x))
    assert all(out.max() > 1 and torch.equal(out, out.round()) for out in net(x))
    for connect in ('and', 'iand'):
        assert all(out.unique().tolist() == [0, 1] for out in strong(connect=connect)(x)[:2])


@pytest.mark.parametrize('connect', ['add', 'and', 'iand'])
@torch.no_grad()
def test_blocks_may_start_as_the_identity(connect):
    options = dict(arch=dict(preset='nano', depths=(2, 2, 2, 2)), connect=connect)
    spikes = torch.randint(2, (2, 1, 32, 8, 8), generator=torch.Generator().manual_seed(0)).float()
    assert torch.equal(SEWResNet(residual_init=0.0, **options).eval().stages[1][1](spikes), spikes)
    torch.manual_seed(0)
    assert not torch.equal(strengthen(SEWResNet(**options)).eval().stages[1][1](spikes), spikes)


@pytest.mark.parametrize('arch, channels, strides', [
    ('nano', (16, 32, 64, 96), (2, 4, 8, 8)),
    ('34', (64, 128, 256, 512), (4, 8, 16, 32)),
    ('50', (256, 512, 1024, 2048), (4, 8, 16, 32)),
])
@torch.no_grad()
def test_stages_have_the_channels_and_strides_they_say(arch, channels, strides):
    net = SEWResNet(dict(preset=arch, depths=(1, 1, 1, 1)), out_indices=range(4)).eval()
    assert (net.stage_channels, net.stage_strides) == (channels, strides)
    for out, width, stride in zip(net(frames(1, 70)), channels, strides, strict=True):
        assert out.shape == (1, 1, width, -(-70 // stride), -(-70 // stride))


def test_a_bottleneck_has_its_stride_in_the_middle():
    with torch.device('meta'):
        branch = SEWResNet('50').stages[1][0].branch
    assert [layer.conv.conv.stride for layer in branch] == [(1, 1), (2, 2), (1, 1)]


def test_the_neuron_of_the_config_is_everywhere():
    net = SEWResNet('nano', neuron=dict(type='IF', v_threshold=0.7))
    neurons = [m for m in net.modules() if hasattr(m, 'surrogate_function')]
    assert len(neurons) == 1 + 2 * 4 + 3  # stem, branches, shortcuts
    assert all(m.v_threshold == 0.7 for m in neurons)


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(connect='ADD'), r"connect must be one of \['add', 'and', 'iand'\], but got 'ADD'"),
        (dict(arch=dict(preset='nano', depths=(1, 1))), 'depths, widths and strides must be equally long'),
        (dict(arch=dict(preset='nano', depths=(1, 0, 1, 1))), r'depths must be at least 1, but got \(1, 0, 1, 1\)'),
    ],
    ids=['connect', 'lengths', 'depths'],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        SEWResNet(**{'arch': 'nano', **options})
