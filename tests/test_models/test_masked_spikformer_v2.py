"""Masked pre-training: nothing of a masked patch arrives, the blocks see visible tokens, and what is learnt fits."""

import copy

import pytest
import torch
from mmengine.registry import DefaultScope
from mmpretrain.models.classifiers import ImageClassifier
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from small_nets import firing, strengthen, tensor
from torch import Tensor, nn

from spikemm.models.backbones import SpikformerV2
from spikemm.models.selfsup import MaskedSpikformerV2, SpikeMAEDecoder

ARCH = dict(preset='nano', embed_dims=32, strides=(2, 2, 1, 1))  # patches of 4 x 4 pixels
SIDE = 4


def encoder(T: int = 1, **options) -> MaskedSpikformerV2:
    torch.manual_seed(0)
    return strengthen(MaskedSpikformerV2(ARCH, T=T, **options))


def images(B: int = 3, size: int = 32) -> Tensor:
    return tensor(B, 3, size, size)


def pixels(mask: Tensor) -> Tensor:
    """The mask ``[B, N]`` of square images as one of their pixels, ``[B, 1, H, W]``."""
    side = int(mask.shape[1] ** 0.5)
    mask = mask.view(-1, 1, side, side).bool()
    return mask.repeat_interleave(SIDE, 2).repeat_interleave(SIDE, 3)


def masked(net: nn.Module, x: Tensor, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(seed)
    return net(x)


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize('T', [1, 3])
@pytest.mark.parametrize('value', [1e4, float('nan')])
def test_nothing_of_a_masked_patch_leaks_into_the_visible_tokens(T, training, value):
    net, x = encoder(T).train(training), images()
    firing(net, lambda: net(x))
    latent, mask, _ = masked(net, x)
    other = x.where(~pixels(mask), value)
    assert not torch.equal(x, other)
    assert torch.equal(masked(net, other)[0], latent)


def test_every_visible_patch_matters():
    net, x = encoder().eval(), images(1)
    latent, mask, _ = masked(net, x)
    for patch in (mask[0] == 0).nonzero():
        only = torch.ones_like(mask).index_fill_(1, patch, 0.0)
        assert not torch.equal(masked(net, x.where(pixels(only), -5 * x))[0], latent)


def test_norms_count_visible_positions_only():
    net, x = encoder().train(), images()
    norm = net.stages[0][0].conv.bn
    norm.momentum = 1.0
    _, mask, _ = masked(net, x)
    seen = ~pixels(mask)
    conv = net.stages[0][0].conv.conv
    values = conv(x.where(seen, 0.0)).permute(0, 2, 3, 1)[seen[:, 0, ::2, ::2]]
    torch.testing.assert_close(norm.running_mean, values.mean(0))
    torch.testing.assert_close(norm.running_var, values.var(0))


def test_nothing_is_where_a_patch_is_masked():
    net, x, seen = encoder().eval(), images(), []
    for _, block, *_ in net.stages:
        for neuron in (block.neuron, block.branch.neuron):
            neuron.register_forward_pre_hook(lambda module, args: seen.append(args[0][0]))
    _, mask, _ = net(x)
    assert len(seen) == 8
    for potentials in seen:
        stride = 32 // potentials.shape[-1]
        occupied = potentials.any(1, keepdim=True)
        assert torch.equal(occupied, ~pixels(mask)[..., ::stride, ::stride])


def test_blocks_get_the_visible_tokens_and_no_others():
    net, shapes = encoder(T=2).eval(), []
    net.stages[3][2].register_forward_hook(lambda module, args, out: shapes.append(args[0].shape))
    latent, mask, _ = net(images())
    assert shapes == [(2, 3, 32, 16, 1)]
    assert latent.shape == (3, 16, 32)
    assert mask.sum(1).tolist() == [48.0] * 3


def test_without_a_masked_patch_the_latents_are_the_features():
    net, x = encoder(T=2, mask_ratio=0.0).eval(), images()
    features = net(x, mask=None)[-1].mean(0).flatten(2).transpose(1, 2)
    assert features.std() > 0.1
    torch.testing.assert_close(net(x)[0], features)


def test_tokens_come_back_to_their_places():
    net, x = encoder().eval(), images()
    latent, mask, ids_restore = net(x)
    tokens = torch.cat([latent, latent.new_full((3, 48, 32), torch.inf)], 1)
    back = tokens.gather(1, ids_restore[:, :, None].expand(-1, -1, 32))
    assert torch.equal(back.isinf().all(2), mask.bool())
    whole = net.encode(x, torch.arange(64).expand(3, -1))
    assert torch.equal(back[~mask.bool()], latent.flatten(0, 1)) and not torch.equal(whole[:, :16], latent)


def test_masks_differ_among_images_and_calls():
    net, x = encoder().eval(), images(2)
    first, second = net(x)[1], net(x)[1]
    assert not torch.equal(first[0], first[1]) and not torch.equal(first, second)


def test_a_sequence_has_one_mask_for_all_steps():
    net, x = encoder(T=2).eval(), images()
    latent, mask, _ = masked(net, x)
    repeated = masked(net, x.expand(2, -1, -1, -1, -1))
    assert torch.equal(repeated[1], mask)
    torch.testing.assert_close(repeated[0], latent)


def test_its_weights_are_those_of_the_backbone():
    net, plain = encoder(), SpikformerV2(ARCH)
    plain.load_state_dict(net.state_dict())
    x = images()
    assert torch.equal(plain.eval()(x)[0], net.eval()(x, mask=None)[0])


def test_fine_tuning_starts_from_the_pre_trained_encoder(tmp_path):
    pretrained = mae()
    strengthen(pretrained.backbone)
    torch.save(dict(state_dict=pretrained.state_dict()), tmp_path / 'mae.pth')
    init_cfg = dict(type='Pretrained', checkpoint=str(tmp_path / 'mae.pth'), prefix='backbone.')
    net = ImageClassifier(
        backbone=dict(type='spikemm.SpikformerV2', arch=ARCH, T=4, residual_init=0.2, init_cfg=init_cfg),
        head=dict(type='spikemm.SpikeLinearClsHead', num_classes=10, in_channels=32))
    net.init_weights()
    ours, theirs = net.backbone.state_dict(), pretrained.backbone.state_dict()
    assert list(ours) == list(theirs)
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)


def test_recomputed_blocks_have_the_same_gradients_and_statistics():
    net, x = encoder().train(), images()
    other = copy.deepcopy(net)
    other.with_cp = True
    for each in (net, other):
        (masked(each, x)[0] * torch.linspace(-1, 1, 32)).square().sum().backward()
    for p, q in zip(net.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(p.grad, q.grad)
    for p, q in zip(net.buffers(), other.buffers(), strict=True):
        assert torch.equal(p, q)


@pytest.mark.parametrize('block', [(0, 1), (3, 2)])
def test_blocks_of_stem_and_transformer_are_recomputed(block):
    net, calls = encoder(with_cp=True).train(), []
    stage, entry = block
    branch = net.stages[stage][entry] if stage == 0 else net.stages[stage][entry][1]
    branch.neuron.register_forward_hook(lambda module, args, out: calls.append(out))
    net(images())[0].sum().backward()
    assert len(calls) == 2


@pytest.mark.parametrize('shape', [(2, 3, 30, 32), (2, 3, 32, 31)])
def test_images_of_broken_patches_are_refused(shape):
    with pytest.raises(ValueError, match='height and width divisible by 4'):
        encoder()(torch.zeros(shape))


@pytest.mark.parametrize('ratio', [1.0, -0.1])
def test_impossible_ratios_are_refused(ratio):
    with pytest.raises(ValueError, match=r'mask_ratio must be in \[0, 1\)'):
        MaskedSpikformerV2(ARCH, mask_ratio=ratio)


# ---- the decoder, and all together ----


def mae(**backbone) -> nn.Module:
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = MODELS.build(dict(
            type='MAE',
            backbone=dict(type='spikemm.MaskedSpikformerV2', arch=ARCH, **backbone),
            neck=dict(
                type='spikemm.SpikeMAEDecoder', num_patches=64, patch_size=SIDE, embed_dim=32, decoder_embed_dim=32,
                decoder_depth=1, decoder_num_heads=2),
            head=dict(
                type='MAEPretrainHead', norm_pix=True, patch_size=SIDE,
                loss=dict(type='PixelReconstructionLoss', criterion='L2'))))
        model.neck.init_weights()
    return model


def test_the_loss_is_of_normalised_masked_pixels():
    model, x = mae().train(), images()
    loss = masked(lambda x: model.loss(x, [DataSample()] * 3)['loss'], x)
    latent, mask, ids = masked(model.backbone, x)
    pred = model.neck(latent, ids)
    patches = x.unfold(2, SIDE, SIDE).unfold(3, SIDE, SIDE).permute(0, 2, 3, 4, 5, 1).flatten(1, 2).flatten(2)
    target = (patches - patches.mean(-1, keepdim=True)) / (patches.var(-1, keepdim=True) + 1e-6).sqrt()
    expected = (pred - target).square().mean(-1)[mask.bool()].mean()
    torch.testing.assert_close(loss, expected)


def test_every_parameter_learns():
    model = mae(T=2).train()
    strengthen(model.backbone)
    masked(lambda x: model.loss(x, [])['loss'], images()).backward()
    assert [name for name, p in model.named_parameters() if p.requires_grad and not p.grad.abs().sum() > 0] == []


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_it_learns_in_mixed_precision(dtype):
    model, x = mae(T=2, drop_path_rate=0.1).train(), images()
    strengthen(model.backbone)
    full = masked(lambda x: model.loss(x, [])['loss'], x)
    with torch.autocast('cpu', dtype):
        assert model.backbone(x)[0].dtype == dtype
        loss = masked(lambda x: model.loss(x, [])['loss'], x)
    loss.backward()
    assert loss.item() == pytest.approx(full.item(), rel=0.02) and loss.item() != full.item()
    assert all(p.grad.isfinite().all() and p.grad.any() for p in model.parameters() if p.requires_grad)


def test_the_decoder_sees_where_a_token_is():
    model = mae().eval()
    latent, _, ids = masked(model.backbone, images())
    assert not torch.allclose(model.neck(latent, ids), model.neck(latent, ids.flip(1)).flip(1))


def test_images_of_another_size_are_refused_by_the_decoder():
    decoder = SpikeMAEDecoder(num_patches=49, patch_size=4, embed_dim=32, decoder_embed_dim=16, decoder_num_heads=2)
    with pytest.raises(ValueError, match='num_patches must be the 64 patches of the images, but got 49'):
        decoder(torch.zeros(1, 16, 32), torch.arange(64)[None])
