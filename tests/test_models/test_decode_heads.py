"""SpikeFPNHead: by hand, and against the reference code (golden/sdt_v2_seg_T2)."""

import pytest
import torch
from small_nets import assert_reference, centre, firing, load_published, strengthen, tensor
from torch import nn

from spikemm.models import MetaSpikeFormer, SpikeFPN, SpikeFPNHead

SMALL = dict(in_channels=[4, 4], in_index=[0, 1], channels=4, num_classes=3, align_corners=False)


@pytest.fixture
def reference(golden):
    """The whole segmentor with the published weights, and what the reference code computed with them."""
    expected, meta = golden('sdt_v2_seg_T2')
    arch = dict(embed_dims=(meta['embed_dim'][0] // 2, *meta['embed_dim']), num_heads=meta['num_heads'])
    parts = dict(
        backbone=MetaSpikeFormer(arch, T=meta['T'], out_indices=(0, 1, 2, 4), time_reduction='mean'),
        neck=SpikeFPN(**meta['neck']),
        decode_head=SpikeFPNHead(**meta['decode_head']))
    return load_published(nn.ModuleDict(parts), expected, ''), expected


@torch.no_grad()
def test_logits_are_those_of_the_reference(reference):
    model, expected = reference
    maps = [expected[f'output.fpn{i}'] for i in range(4)]
    firing(model.decode_head, lambda: model.decode_head(maps))
    assert_reference(model.decode_head(maps), expected['output.seg_logits'])


@torch.no_grad()
def test_the_whole_segmentor_is_that_of_the_reference(reference):
    model, expected = reference
    maps = model.backbone(expected['input'])
    firing(model.backbone, lambda: model.backbone(expected['input']))
    assert_reference(maps, [expected[f'output.backbone{i}'][0] for i in range(4)])
    pyramid = model.neck(maps)
    assert_reference(pyramid, [expected[f'output.fpn{i}'] for i in range(4)])
    assert_reference(model.decode_head(pyramid), expected['output.seg_logits'])


@torch.no_grad()
def test_two_steps_of_a_weak_input_by_hand():
    head = SpikeFPNHead([4, 8], in_channels=[1, 1], in_index=[0, 1], channels=1, num_classes=3, align_corners=False)
    centre(head.scale_heads[0][0].conv, 0.5)
    centre(head.scale_heads[1][0].conv, 1.5)
    centre(head.conv_seg, 5.0, 0.5)
    maps = [torch.full((2, 1, 1, size, size), 1.5) for size in (4, 2)]
    # potentials 0.75 and 1.125: a spike at the second step. 0.5 of one level and 1.5 of the other make the next one
    assert head(maps).shape == (1, 3, 4, 4) and head(maps).eq((0.5 + 5.5) / 2).all()
    assert head([x[:1] for x in maps]).eq(0.5).all()
    assert head([maps[0], maps[1] * 0]).eq(0.5).all()  # 0.5 alone is too weak


@torch.no_grad()
def test_levels_are_those_of_in_index():
    head = strengthen(SpikeFPNHead([4, 8], **{**SMALL, 'in_index': [1, 3]})).eval()
    maps = [tensor(2, 1, 4, size, size, seed=size) for size in (16, 8, 5, 4)]
    logits = head(maps)
    assert logits.unique().numel() > 3
    assert torch.equal(head([maps[0] * 0, maps[1], maps[2] * 0, maps[3]]), logits)


@torch.no_grad()
def test_only_ratios_of_the_strides_matter():
    heads = [strengthen(SpikeFPNHead(strides, **SMALL)).eval() for strides in ([4, 8], [2, 4])]
    maps = [tensor(2, 1, 4, size, size, seed=size) for size in (8, 4)]
    assert heads[0](maps).unique().numel() > 3
    assert torch.equal(heads[0](maps), heads[1](maps))


@torch.no_grad()
def test_channels_are_dropped_in_training_only():
    head, maps = strengthen(SpikeFPNHead([4, 8], dropout_ratio=0.5, **SMALL)), [tensor(1, 2, 4, 8, 8)] * 2
    torch.manual_seed(0)
    assert torch.equal(head.eval()(maps), head(maps))
    assert not torch.equal(head.train()(maps), head(maps))
    assert SpikeFPNHead([4, 8], **SMALL).dropout is None
