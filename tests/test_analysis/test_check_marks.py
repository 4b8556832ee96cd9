"""The column "Spike" in Tables 1 to 4 of `Spike-driven Transformer V2 <https://arxiv.org/abs/2404.03663>`_.

Networks are small, of random weights, from here, from mmpretrain, mmdet and torchvision. Not
reproduced, for want of a model: Spiking-YOLO, Spike Calibration (both converted ANNs, of which others stand here) and
Spiking Retina.

At two places the audit is stricter than the tables, and tests of their own say where: the convolutions on the shortcuts
of MS-ResNet read membrane potentials; RoIAlign, of Mask R-CNN, multiplies potentials by numbers that depend on the
boxes.
"""

from pathlib import Path

import pytest
import torch
import torchvision
from mmdet.models.backbones import PyramidVisionTransformer
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmpretrain.models import ResNet, VisionTransformer
from spikingjelly.activation_based import ann2snn, functional, neuron, surrogate
from spikingjelly.activation_based.model import spiking_resnet
from torch import nn
from torchvision.models.video.swin_transformer import SwinTransformer3d

from spikemm.analysis.audit import audit
from spikemm.analysis.inputs import build_model, random_batch
from spikemm.models import reparameterize
from spikemm.models.backbones import (
    AttMSResNet,
    EMSResNet,
    MSResNet,
    SEWResNet,
    SpikeDrivenTransformer,
    Spikformer,
    SpikformerV2,
)

CONFIGS = Path(__file__).parents[2] / 'configs'
IMAGE, CLIP, VIDEO = (1, 3, 32, 32), (2, 1, 3, 32, 32), (1, 3, 4, 32, 32)
IF = dict(spiking_neuron=neuron.IFNode, surrogate_function=surrogate.ATan(), num_classes=5)


def firing(net):
    """Give a network weights so large that its neurons fire."""
    g = torch.Generator().manual_seed(0)
    for p in net.parameters():
        p.data = torch.randn(p.shape, generator=g) * 3 / p[0].numel() ** 0.5 if p.ndim > 1 else (
            torch.rand(p.shape, generator=g) + 0.5)
    net.eval()  # of mmpretrain's it returns nothing
    return net


def audited(net, shape=IMAGE, steps=1):
    torch.manual_seed(0)
    x = torch.rand(shape)
    found = audit(net, lambda: [net(x) for _ in range(steps)])
    assert 'by provenance only' not in found.why, 'silent network, the test would prove nothing'
    return found


def multi_step(net):
    functional.set_step_mode(net, 'm')
    return net


def converted(ann):
    """An ANN as SpikingJelly converts it; spikes leave its neurons scaled."""
    recipe = ann2snn.RateCodingRecipe([(torch.rand(2, *IMAGE[1:]), torch.zeros(2))])
    return ann2snn.Converter(recipe).convert(ann.eval())


def vgg():
    layers = torchvision.models.vgg.make_layers([16, 'M', 32, 'M', 32], batch_norm=True)
    return nn.Sequential(layers, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(128, 16), nn.ReLU(), nn.Linear(16, 4))



@pytest.mark.parametrize(('build', 'shape', 'verdict'), [
    # Table 1
    (lambda: SEWResNet('nano', T=2), IMAGE, 'integer-driven'),
    (lambda: AttMSResNet('nano'), IMAGE, 'not spike-driven'),
    (lambda: ResNet(18, stem_channels=8, base_channels=8), IMAGE, 'no spikes'),
    (lambda: VisionTransformer(
        dict(embed_dims=32, num_layers=1, num_heads=2, feedforward_channels=32), 32), IMAGE, 'no spikes'),
    (lambda: Spikformer('nano', T=2), IMAGE, 'integer-driven'),
    (lambda: SpikformerV2('nano', T=2), IMAGE, 'spike-driven'),
    (lambda: SpikeDrivenTransformer('nano', T=2), IMAGE, 'spike-driven'),
    # Table 2; its Res-SNN-34 is the SEW-ResNet of Table 1
    # SlowFast and ACTION-Net are 3D and 2D CNNs, TimeSformer a video transformer; others stand for them.
    (lambda: torchvision.models.video.r3d_18(num_classes=5), VIDEO, 'no spikes'),
    (lambda: SwinTransformer3d([2, 4, 4], 24, [1, 1], [2, 2], [2, 4, 4]), VIDEO, 'no spikes'),
    # Tables 3 and 4
    (lambda: PyramidVisionTransformer(
        embed_dims=16, num_stages=2, num_layers=[1, 1], num_heads=[1, 2], patch_sizes=[4, 2], strides=[4, 2],
        paddings=[0, 0], sr_ratios=[2, 1], mlp_ratios=[2, 2], out_indices=(0, 1)), IMAGE, 'no spikes'),
    (lambda: EMSResNet('nano', T=2), IMAGE, 'spike-driven'),
    (lambda: torchvision.models.segmentation.deeplabv3_mobilenet_v3_large(
        weights=None, weights_backbone=None, num_classes=4), IMAGE, 'no spikes'),
    # Others that the paper speaks of
    (lambda: SEWResNet('nano', T=2, connect='and'), IMAGE, 'spike-driven'),
    (lambda: SEWResNet('nano', T=2, connect='iand'), IMAGE, 'spike-driven'),
    (lambda: multi_step(spiking_resnet.spiking_resnet18(**IF)), CLIP, 'spike-driven'),  # vanilla shortcuts
], ids=[
    'SEW-Res-SNN', 'Att-MS-Res-SNN', 'ResNet', 'ViT', 'SpikFormer', 'SpikFormer V2', 'Spike-driven Transformer',
    '3D CNN', 'video transformer', 'PVT', 'EMS-Res-SNN', 'DeepLab-V3', 'SEW with AND', 'SEW with IAND', 'VS-Res-SNN'])
def test_check_mark(build, shape, verdict):
    torch.manual_seed(0)
    found = audited(firing(build()), shape)
    assert found.verdict == verdict, found.why


@pytest.mark.parametrize('build', [lambda: torchvision.models.resnet18(num_classes=4), vgg], ids=['ResNet', 'VGG'])
def test_converted_anns_are_spike_driven_up_to_a_factor(build):
    torch.manual_seed(0)
    found = audited(converted(build()).eval(), steps=16)
    assert found.spike_driven, found.why
    assert {'scaled by constants' in layer.why for layer in found.layers[1:]} == {True}


def test_ms_resnet_is_spike_driven_but_for_the_convolutions_on_its_shortcuts():
    found = audited(firing(MSResNet('nano', T=2)))
    assert {layer.name for layer in found.layers if layer.verdict == 'real'} == {
        f'stages.{i}.0.projection.conv.conv' for i in (1, 2, 3)}
    assert not found.findings


def of_config(name, mode='spike', shape=(3, 64, 64), **options):
    """The audit of a model that we ship."""
    cfg = Config.fromfile(CONFIGS / name)
    cfg.merge_from_dict(options)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        model = firing(build_model(cfg))
        model = model if mode == 'train' else reparameterize(model, mode)
        found = audit(model, lambda: model.test_step(random_batch(cfg.default_scope, shape)))
    assert 'by provenance only' not in found.why, 'silent network, the test would prove nothing'
    return found


@pytest.mark.parametrize(('name', 'shape'), [
    ('meta_spikeformer/sdtv2-nano_t1_1xb64-8e_digit-scenes.py', (3, 64, 64)),
    ('meta_spikeformer/sdtv2-15m_t4_8xb24-50e_in1k.py', (3, 32, 32)),
    ('meta_spikeformer/sdtv2-18m-events_t8_3xb24-100e_hardvs-224x224.py', (2, 2, 32, 32)),
    ('semantic_fpn/fpn_sdtv2-15m_t4_8xb2-160k_ade20k-512x512.py', (3, 64, 64)),
    ('semantic_fpn/fpn_sdtv2-nano_t1_1xb20-2k_digit-scenes-64x64.py', (3, 64, 64)),
    ('retinanet/retinanet_sdtv2-15m_t1_8xb2-3x_coco.py', (3, 64, 64)),
    ('yolox/yolox_sdtv2-15m_t1_8xb8-300e_coco.py', (3, 64, 64))])
def test_meta_spikeformer_has_the_check_mark_in_the_spike_graph(name, shape):
    found = of_config(name, shape=shape)
    assert found.spike_driven, found.why
    assert [layer.verdict for layer in found.layers].count('encoding') == 1


MASK_RCNN = 'mask_rcnn/mask-rcnn_sdtv2-nano_t1_1xb8-1e_digit-scenes.py'


@pytest.mark.parametrize('fires', [True, False])
def test_mask_rcnn_is_spike_driven_but_for_roi_align(fires):
    found = of_config(MASK_RCNN, **{'model.roi_head.bbox_head.fire_before_output': fires})
    assert {layer.verdict for layer in found.layers} == {'encoding', 'spike'}
    assert {finding.op for finding in found.findings} == {'RoIAlign'}


def test_the_last_layers_of_the_released_box_head_read_membrane_potentials_until_they_are_joined():
    found = of_config(MASK_RCNN, 'train')
    assert {'roi_head.bbox_head.fc_cls', 'roi_head.bbox_head.fc_reg'} <= {
        layer.name for layer in found.layers if layer.verdict == 'real'}


@pytest.mark.parametrize('name', [
    'mask_rcnn/mask-rcnn_sdtv2-15m-ann_t1_8xb2-1x_coco.py',
    'semantic_fpn/fpn_sdtv2-15m-ann_t1_8xb2-160k_ade20k-512x512.py'])
def test_stock_necks_and_heads_on_a_spiking_backbone_are_not_spike_driven(name):
    found = of_config(name)
    assert found.verdict == 'not spike-driven'
    assert {layer.stage.split('.')[0] for layer in found.layers if layer.verdict == 'real'} <= {
        'neck', 'rpn_head', 'roi_head', 'decode_head'}
