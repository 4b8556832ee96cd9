"""Published weights under our names: every key of the released models, with its shape."""

import gzip
import json
from pathlib import Path

import pytest
import torch
from mmdet.registry import MODELS as DET_MODELS
from mmengine.config import ConfigDict
from mmengine.registry import DefaultScope
from mmpretrain.models.classifiers import ImageClassifier
from mmseg.registry import MODELS as SEG_MODELS
from small_tasks import mask_rcnn, semantic_fpn

from spikemm.models import convert_state_dict

KEYS = Path(__file__).parents[1] / 'data/golden/sdt_v2_keys.json.gz'  # model -> [[key, shape], ...]
PUBLISHED = json.loads(gzip.decompress(KEYS.read_bytes()))
CLASSIFIERS = [name for name in PUBLISHED if not name.startswith(('det', 'seg'))]
WIDTHS = {'15m': 360, '31m': 480, '55m': 640}
STAGES = {'15m': (32, 64, 128, 256, 360), '55m': (64, 128, 256, 512, 640)}


def published(name: str) -> dict[str, torch.Tensor]:
    return {key: torch.empty(shape, device='meta') for key, shape in PUBLISHED[name]}


def assert_converts_to(name: str, model: torch.nn.Module) -> None:
    ours = {key: value.shape for key, value in model.state_dict().items()}
    assert len(ours) == len(PUBLISHED[name])  # no two keys became one
    assert {key: value.shape for key, value in convert_state_dict('sdt-v2', published(name)).items()} == ours


@pytest.mark.parametrize('name', CLASSIFIERS)
def test_every_published_key_and_shape_is_ours(name):
    arch, *kd = name.split('_')
    head = 'spikemm.SpikeDistillClsHead' if kd else 'spikemm.SpikeLinearClsHead'
    with torch.device('meta'):
        model = ImageClassifier(
            backbone=dict(type='spikemm.MetaSpikeFormer', arch=arch),
            head=dict(type=head, num_classes=1000, in_channels=WIDTHS[arch]))
    assert_converts_to(name, model)


@pytest.mark.parametrize('arch', ['15m', '55m'])
def test_every_published_key_and_shape_of_the_detectors_is_ours(arch):
    config = mask_rcnn(arch=arch, widths=STAGES[arch], C=256, fc=1024, classes=80)
    with DefaultScope.overwrite_default_scope('mmdet'), torch.device('meta'):
        model = DET_MODELS.build(ConfigDict(config))
    assert_converts_to(f'det_{arch}', model)


@pytest.mark.parametrize('arch, C', [('15m', 128), ('55m', 256)])
def test_every_published_key_and_shape_of_the_segmentors_is_ours(arch, C):
    config = semantic_fpn(arch=arch, widths=STAGES[arch], C=C, classes=150)
    with DefaultScope.overwrite_default_scope('mmseg'), torch.device('meta'):
        model = SEG_MODELS.build(ConfigDict(config))
    assert_converts_to(f'seg_{arch}', model)


def test_keys_are_renamed_as_read_from_both_codes():
    pairs = {
        'downsample1_1.encode_conv.weight': 'backbone.stages.0.0.conv.conv.weight',
        'ConvBlock1_2.0.Conv.pwconv2.weight': 'backbone.stages.1.1.mixer.branch.pw2.conv.weight',
        'ConvBlock2_2.0.Conv.dwconv.weight': 'backbone.stages.2.2.mixer.branch.dw.weight',
        'ConvBlock2_1.0.bn1.running_var': 'backbone.stages.2.1.channels.branch.fc1.bn.running_var',
        'downsample3.encode_bn.bias': 'backbone.stages.3.0.conv.bn.bias',
        'block3.5.attn.k_conv.0.body.1.bn.weight': 'backbone.stages.3.6.mixer.branch.k.bn1.weight',
        'block4.0.attn.proj_conv.1.bias': 'backbone.stages.4.1.mixer.branch.proj.bn.bias',
        'block4.1.mlp.fc2_conv.weight': 'backbone.stages.4.2.channels.branch.fc2.conv.weight',
        'head.weight': 'head.fc.weight',
        'head_kd.bias': 'head.fc_kd.bias',
    }
    converted = convert_state_dict('sdt-v2', {key: torch.zeros(1) for key in pairs})
    assert list(converted) == list(pairs.values())


def test_keys_of_necks_and_heads_are_renamed_as_read_from_both_codes():
    pairs = {
        'backbone.downsample4.encode_bn.weight': 'backbone.stages.4.0.conv.bn.weight',
        'neck.lateral_convs.3.1.0.conv.weight': 'neck.lateral_convs.3.conv.weight',
        'neck.fpn_convs.0.1.0.conv.bias': 'neck.fpn_convs.0.conv.bias',
        'rpn_head.rpn_conv.1.0.weight': 'rpn_head.rpn_conv.weight',
        'rpn_head.rpn_cls.1.0.bias': 'rpn_head.rpn_cls.bias',
        'rpn_head.rpn_reg.1.0.weight': 'rpn_head.rpn_reg.weight',
        'roi_head.bbox_head.shared_fcs.1.1.0.weight': 'roi_head.bbox_head.shared_fcs.1.weight',
        'roi_head.bbox_head.fc_cls.weight': 'roi_head.bbox_head.fc_cls.weight',
        'roi_head.mask_head.convs.2.1.0.conv.weight': 'roi_head.mask_head.convs.2.conv.weight',
        'roi_head.mask_head.upsample.1.0.bias': 'roi_head.mask_head.upsample.bias',
        'roi_head.mask_head.conv_logits.1.0.weight': 'roi_head.mask_head.conv_logits.weight',
        'decode_head.scale_heads.0.0.1.0.conv.weight': 'decode_head.scale_heads.0.0.conv.weight',
        # an upsampling stands between two convolutions of ours
        'decode_head.scale_heads.3.2.1.0.bn.running_mean': 'decode_head.scale_heads.3.4.bn.running_mean',
        'decode_head.conv_seg.bias': 'decode_head.conv_seg.bias',
    }
    converted = convert_state_dict('sdt-v2', {key: torch.zeros(1) for key in pairs})
    assert list(converted) == list(pairs.values())


def test_pointwise_kernels_get_a_second_spatial_axis():
    key, weight = 'block3.0.mlp.fc1_conv.weight', torch.randn(8, 4, 1)
    (converted,) = convert_state_dict('sdt-v2', {key: weight}).values()
    assert converted.shape == (8, 4, 1, 1) and torch.equal(converted[..., 0], weight)


def test_values_and_types_are_kept():
    state = {'head.weight': torch.randn(3, 4).half(), 'block3.0.mlp.fc1_bn.num_batches_tracked': torch.tensor(7)}
    for before, after in zip(state.values(), convert_state_dict('sdt-v2', state).values(), strict=True):
        assert after.dtype == before.dtype and torch.equal(after, before)


def test_the_prefix_of_data_parallel_training_is_dropped():
    state = published('15m')
    parallel = {f'module.{key}': value for key, value in state.items()}
    assert list(convert_state_dict('sdt-v2', parallel)) == list(convert_state_dict('sdt-v2', state))


@pytest.mark.parametrize(
    'key',
    ['patch_embed.proj.weight', 'head.scale', 'downsample5.encode_conv.weight', 'ConvBlock3_1.0.bn1.weight',
     'block5.0.mlp.fc1_conv.weight', 'block3.0.attn.x_conv.1.weight', 'backbone.head.weight',
     'neck.lateral_convs.0.conv.weight', 'rpn_head.rpn_conv.1.1.weight', 'roi_head.bbox_head.0.fc_cls.weight',
     'decode_head.scale_heads.0.0.conv.weight'],
)
def test_a_key_of_another_model_is_refused(key):
    state = {'head.weight': torch.zeros(1), key: torch.zeros(1)}
    with pytest.raises(ValueError, match=f"'{key}' is not a key of 'sdt-v2' weights; these are of another model"):
        convert_state_dict('sdt-v2', state)


def test_an_unknown_source_is_refused():
    with pytest.raises(ValueError, match=r"source must be one of \[.*'sdt-v2'.*\], but got 'sdt-v9'"):
        convert_state_dict('sdt-v9', {})
