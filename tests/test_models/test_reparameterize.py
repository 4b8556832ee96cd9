"""Folded models compute what the unfolded ones do; in mode 'spike' every weight layer meets spikes."""

import copy

import pytest
import torch
from test_backbones import BACKBONES, GOLDEN, assert_equal, build, frames, reference
from torch import nn

from spikemm.models import reparameterize
from spikemm.registry import MODELS

every_mode = pytest.mark.parametrize('mode', ['fast', 'spike'])


def weight_layers(model: nn.Module) -> dict[str, nn.Module]:
    return {name: m for name, m in model.named_modules() if isinstance(m, (nn.Conv2d, nn.Linear))}


@every_mode
@pytest.mark.parametrize('name', BACKBONES)
@torch.no_grad()
def test_a_folded_backbone_gives_the_same(name, mode):
    net, x = build(name).double().eval(), frames().double()
    assert_equal(reparameterize(net, mode)(x), net(x), rtol=1e-9, atol=1e-9)


@every_mode
@pytest.mark.parametrize('name', GOLDEN[:3])
@torch.no_grad()
def test_folded_published_models_have_the_logits_of_the_reference(golden, name, mode):
    model, expected = reference(golden, name)
    logits = reparameterize(model, mode)(expected['input'])
    torch.testing.assert_close(logits, expected['output.logits'], rtol=1e-4, atol=1e-4)


@every_mode
@torch.no_grad()
def test_a_folded_image_is_a_constant_sequence(mode):
    net, x = reparameterize(build(T=3).double(), mode), frames().double()
    assert_equal(net(x), net(x.expand(3, *x.shape)), rtol=1e-9, atol=1e-9)


@every_mode
def test_no_norm_is_left(mode):
    folded = reparameterize(build(), mode)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in folded.modules())


def test_fewer_layers_are_left():
    count = {mode: len(weight_layers(reparameterize(build(), mode))) for mode in ('fast', 'spike')}
    stem_and_downsampling, conv_blocks, transformer_blocks = 4, 2, 3
    assert len(weight_layers(build())) == stem_and_downsampling + conv_blocks * 5 + transformer_blocks * (4 * 3 + 2)
    assert count['fast'] == stem_and_downsampling + conv_blocks * 5 + transformer_blocks * (2 * 3 + 2)
    assert count['spike'] == stem_and_downsampling + conv_blocks * 4 + transformer_blocks * (4 + 2)


@pytest.mark.parametrize('name', ['nano', 'sdsa1', 'sdsa2', 'vanilla', 'linear', 'all transformer'])
@torch.no_grad()
def test_every_weight_layer_but_the_stem_meets_spikes(name):
    net, seen = reparameterize(build(name), 'spike'), {}
    layers = weight_layers(net)
    for key, layer in layers.items():
        layer.register_forward_pre_hook(lambda module, args, key=key: seen.update({key: args[0].unique()}))
    net(frames())
    stem, *others = layers
    assert set(seen) == set(layers) and len(seen[stem]) > 2
    assert {key: seen[key].tolist() for key in others} == {key: [0, 1] for key in others}


@every_mode
def test_the_model_itself_stays_as_it_is(mode):
    net = build().train()
    before = copy.deepcopy(net.state_dict())
    folded = reparameterize(net, mode)
    assert net.training and not folded.training
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())
    assert_equal(net.eval()(frames()), net(frames()))


@every_mode
@torch.no_grad()
def test_a_folded_model_is_saved_and_built_again(mode):
    model = dict(type='MetaSpikeFormer', arch='nano', T=2, out_indices=range(4))
    again, folded = MODELS.build(dict(type='Reparameterized', model=model, mode=mode)), reparameterize(build(), mode)
    again.load_state_dict(folded.state_dict(), strict=True)
    assert_equal(again(frames()), folded(frames()))


@every_mode
@torch.no_grad()
def test_a_folded_model_can_be_copied(mode):
    folded = reparameterize(build(), mode)
    assert_equal(copy.deepcopy(folded)(frames()), folded(frames()))


def test_an_unknown_mode_is_refused():
    with pytest.raises(ValueError, match=r"mode must be one of \('fast', 'spike'\), but got 'deploy'"):
        reparameterize(build(), 'deploy')


def test_a_model_without_our_layers_is_refused():
    with pytest.raises(ValueError, match='model must have norms to fold, but Sequential has none'):
        reparameterize(nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)))


@pytest.mark.parametrize('modes', [('fast', 'fast'), ('fast', 'spike'), ('spike', 'fast'), ('spike', 'spike')], ids=str)
def test_a_folded_model_is_not_folded_again(modes):
    folded = reparameterize(build(), modes[0])
    with pytest.raises(ValueError, match='model must have norms to fold, but MetaSpikeFormer has none'):
        reparameterize(folded, modes[1])
