"""MS-ResNet and Att-MS-ResNet against the reference code (golden/ms_resnet*, att_ms_resnet*), and their options."""

import functools
import gzip
import json
from pathlib import Path

import pytest
import torch
from mmpretrain.models.classifiers import ImageClassifier
from small_nets import assert_reference, firing, loss, strengthen
from torch import Tensor, nn

from spikemm.analysis.audit import audit
from spikemm.layers import CSA, MembraneShortcut
from spikemm.models import convert_state_dict, reparameterize
from spikemm.models.backbones import AttMSResNet, MSResNet
from spikemm.models.backbones.ms_resnet import NEURON
from spikemm.neurons import build_neuron

KEYS = Path(__file__).parents[1] / 'data/golden/ms_resnet_keys.json.gz'  # model -> [[key, shape], ...]
PUBLISHED = json.loads(gzip.decompress(KEYS.read_bytes()))
# Sizes of the golden files beside their constructors
GOLDEN = {
    'ms_resnet18_T3': (MSResNet, {}),
    'ms_resnet104_T2': (MSResNet, dict(stem_kernels=(3, 3, 3), pooled=True)),
    'att_ms_resnet_T1': (AttMSResNet, dict(pooled=True)),
}
every_golden = pytest.mark.parametrize('name', GOLDEN)
both = pytest.mark.parametrize('cls', [MSResNet, AttMSResNet])


def classifier(cls: type, arch: str | dict, channels: int, classes: int, **options) -> ImageClassifier:
    return ImageClassifier(
        backbone=dict(type=cls, arch=arch, **options),
        head=dict(
            type='spikemm.SpikeLinearClsHead', num_classes=classes, in_channels=channels, neuron=NEURON,
            fire_first=True))


def source(cls: type) -> str:
    return 'att-ms-resnet' if cls is AttMSResNet else 'ms-resnet'


def reference(golden, name: str) -> tuple[ImageClassifier, dict[str, Tensor]]:
    """The classifier with the published key names loaded, and what the reference code computed with them."""
    (tensors, meta), (cls, sizes) = golden(name), GOLDEN[name]
    made = meta['constructor']
    arch = dict(depths=made['num_block'], channels=made['widths'], **sizes)
    model = classifier(cls, arch, made['widths'][-1], made['num_classes'], T=meta['T'], out_indices=(2, 3))
    published = {k.removeprefix('state.'): v for k, v in tensors.items() if k.startswith('state.')}
    model.load_state_dict(convert_state_dict(source(cls), published), strict=True)
    return model.eval(), tensors


def frames(B: int = 2, size: int = 32) -> Tensor:
    return torch.randn(B, 3, size, size, generator=torch.Generator().manual_seed(0)) * 2


def small(cls: type, **options) -> nn.Module:
    return strengthen(cls('nano', T=2, out_indices=range(4), **options), seed=1)


# ---- the reference code ----


@every_golden
@torch.no_grad()
def test_features_and_logits_are_those_of_the_reference(golden, name):
    model, expected = reference(golden, name)
    outs = model.backbone(expected['input'])
    assert_reference(outs, (expected['feat.conv4_x'], expected['feat.conv5_x']))
    assert_reference(model.head(outs), expected['output.logits'])


@every_golden
@pytest.mark.parametrize('mode', ['fast', 'spike'])
@torch.no_grad()
def test_logits_of_folded_models_are_those_of_the_reference(golden, name, mode):
    model, expected = reference(golden, name)
    folded = reparameterize(model, mode)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in folded.modules())
    assert_reference(folded(expected['input']), expected['output.logits'])


@torch.no_grad()
def test_a_sequence_has_the_logits_of_the_reference(golden):
    model, expected = reference(golden, 'ms_resnet104_T2')
    assert_reference(model(expected['input'].expand(2, *expected['input'].shape)), expected['output.logits'])


def test_the_neuron_fires_strictly_above_a_half_and_keeps_a_quarter():
    inputs = torch.tensor([0.5, 0.375, 0.0, 0.5 + 2**-24, 0.5])  # a quarter of 0.5 is 0.125: 0.375 charges to 0.5
    assert build_neuron(NEURON)(inputs[:, None]).flatten().tolist() == [0, 0, 0, 1, 0]
    assert build_neuron(NEURON)(torch.tensor([[0.5], [0.376]])).flatten().tolist() == [0, 1]


def test_the_neuron_has_the_gradient_of_a_rectangle_as_wide_as_one():
    x = torch.tensor([[-0.01, 0.01, 0.5, 0.99, 1.01]], requires_grad=True)
    build_neuron(NEURON)(x).sum().backward()
    assert x.grad.flatten().tolist() == [0, 1, 1, 1, 0]


# ---- published weights ----


@pytest.mark.parametrize('name', PUBLISHED)
def test_every_published_key_and_shape_is_ours(name):
    cls = AttMSResNet if name.startswith('att') else MSResNet
    with torch.device('meta'):
        model = classifier(cls, name.partition('ms_resnet')[2], 512, 1000)
    published = {key: torch.empty(shape, device='meta') for key, shape in PUBLISHED[name]}
    ours = {key: value.shape for key, value in model.state_dict().items()}
    assert {key: value.shape for key, value in convert_state_dict(source(cls), published).items()} == ours
    assert len(ours) == len(published)  # no two keys became one


@pytest.mark.parametrize(
    'cls, arch, millions',
    [(MSResNet, '18', 11.694), (MSResNet, '34', 21.802), (MSResNet, '104', 77.351), (AttMSResNet, '34', 22.117),
     (AttMSResNet, '104', 78.370)],
)
def test_parameters_are_those_of_the_papers(cls, arch, millions):
    with torch.device('meta'):
        count = sum(p.numel() for p in classifier(cls, arch, 512, 1000).parameters())
    assert round(count / 1e6, 3) == millions


@pytest.mark.parametrize(
    'source, key, message',
    [('ms-resnet', 'conv2_x.0.residual_function.6.attention.sa.conv.weight', 'is not a key of'),
     ('att-ms-resnet', 'conv6_x.0.residual_function.1.weight', 'is not a key of')],
)
def test_a_key_of_another_model_is_refused(source, key, message):
    with pytest.raises(ValueError, match=message):
        convert_state_dict(source, {key: torch.zeros(1)})


# ---- the architecture ----


@both
def test_stages_have_strides_4_to_32(cls):
    net = strengthen(cls(dict(preset='18', depths=(1, 1, 1, 1)), out_indices=range(4))).eval()
    with torch.no_grad():
        outs = net(frames(1, 64))
    assert net.strides == [4, 8, 16, 32]
    assert [tuple(x.shape) for x in outs] == [(1, 1, 64 << i, 16 >> i, 16 >> i) for i in range(4)]


@both
def test_nano_has_the_strides_of_small_images_and_fires(cls):
    net = small(cls).train()
    outs = []
    firing(net, lambda: outs.extend(net(frames())))
    assert [x.shape[-1] for x in outs] == [16, 8, 4, 4] and net.stage_strides == (2, 4, 8, 8)


@pytest.mark.parametrize('pooled', [False, True])
def test_odd_maps_are_rounded_up_on_both_ways(pooled):
    net = strengthen(MSResNet(dict(preset='nano', pooled=pooled), out_indices=range(4)))
    assert [x.shape[-1] for x in net(frames(1, 35))] == [18, 9, 5, 5]


@both
def test_every_parameter_has_a_gradient(cls):
    net, x = small(cls).train(), frames().requires_grad_()
    loss(net(x)).backward()
    assert x.grad.abs().sum() > 0
    assert [key for key, p in net.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0] == []


@both
def test_norms_start_at_the_threshold_and_branches_at_residual_init(cls):
    net = cls('nano', residual_init=0.2)
    starts = {key: p.unique().tolist() for key, p in net.named_parameters() if key.endswith('bn.weight')}
    for key, start in starts.items():
        assert start == pytest.approx([0.2 if key.endswith('branch.conv2.bn.weight') else 0.5], abs=1e-6), key


@torch.no_grad()
def test_residual_branches_start_at_zero_by_default():
    net = MSResNet('18').eval()
    x = frames(2, 8)[None].repeat(1, 1, 22, 1, 1)[:, :, :64]
    assert torch.equal(net.stages[0][2](x), x)


def test_attention_that_would_start_at_zero_is_refused():
    with pytest.raises(ValueError, match=r'residual_init must be positive, but got 0\.0'):
        AttMSResNet('nano', residual_init=0.0)


def test_drop_path_grows_linearly_from_zero():
    net = MSResNet(dict(preset='nano', depths=(1, 2, 1, 1)), drop_path_rate=0.4)
    rates = [m.drop_path for m in net.modules() if isinstance(m, MembraneShortcut)]
    assert rates == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4])


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(arch='50'), r"arch must be one of \['104', '18', '34', 'nano'\] or a dict, but got '50'"),
        (dict(arch=dict(preset='34', depths=(1, 1))), 'depths, channels and strides must be equally long'),
        (dict(arch=dict(preset='34', depths=(1, 1, 0, 1))), r'depths must be positive, but got \(1, 1, 0, 1\)'),
        (dict(arch=dict(preset='34', stem_kernels=())), r'stem_kernels must name a kernel at least, but got \(\)'),
        (dict(drop_path_rate=1.0), r'drop_path_rate must be in \[0, 1\), but got 1.0'),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        MSResNet(**options)


# ---- attention ----


def test_gates_are_the_same_at_every_step_and_differ_between_images():
    torch.manual_seed(0)
    csa, x = CSA(16), torch.randn(3, 2, 16, 4, 4)
    channel, spatial = csa.channel_gate(x), csa.spatial_gate(x)
    assert channel.shape == (2, 16, 1, 1) and spatial.shape == (2, 1, 4, 4)
    torch.testing.assert_close(csa.channel_gate(x[:, :1]), channel[:1])
    torch.testing.assert_close(csa.spatial_gate(x.flip(0)), spatial)
    assert not torch.allclose(channel[0], channel[1])


def test_attention_gives_no_negative_potential():
    x = torch.randn(2, 1, 8, 4, 4)
    assert x.min() < 0 and CSA(8)(x).min() == 0 < CSA(8)(x).max()


@functools.cache
def audited(cls: type):
    net = reparameterize(small(cls), 'spike')
    return audit(net, lambda: net(frames()))


def test_the_audit_names_the_convolutions_on_the_shortcuts_and_no_others():
    layers, name = audited(MSResNet).layers, 'stages.{}.projection.conv.layer'.format
    assert [layer.name for layer in layers if layer.verdict == 'real'] == [name(f'{i}.0') for i in (1, 2, 3)]
    # no neuron comes before the first of them
    assert [layer.name for layer in layers if layer.verdict == 'encoding'] == ['stages.0.0.convs.0.layer', name('0.1')]
    assert audited(MSResNet).findings == []


def test_the_audit_names_the_gates():
    found = audited(AttMSResNet)
    assert not found.spike_driven
    assert any('attention' in finding.name for finding in found.findings)
