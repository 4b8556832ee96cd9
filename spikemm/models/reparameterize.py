"""Fold the norms of a trained model into its convolutions."""

import copy
from collections.abc import Callable

import torch
from mmcv.cnn import ConvModule, Linear
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.fusion import fuse_conv_bn_eval

from spikemm.layers import SDSA, SSA, ConvBN, OverTime, PooledSDSA, RepConvBN, SepConv
from spikemm.neurons import IF, LIF, PLIF
from spikemm.registry import MODELS

from .roi_heads import SpikeShared2FCBBoxHead

MODES = ('fast', 'spike')


def reparameterize(model: nn.Module, mode: str = 'fast') -> nn.Module:
    """A copy of ``model`` for inference, in evaluation mode, with the same outputs and fewer layers.

    Args:
        model: Any module with spikemm's layers in it; mmcv's, of necks and heads, are folded, too.
        mode: 'fast' folds every norm into its convolution, joins the box head's layers that have no neuron between
            them, and keeps RepConv factored: the least work on CPU and GPU.
            'spike' also merges each RepConv, with its padded norm, into one 3x3 convolution, each depthwise-pointwise
            pair into one dense convolution, and the scale of attention into the threshold behind it: more work there,
            but then every weight layer meets spikes only and nothing is multiplied, as a neuromorphic chip needs and
            as the energy of the paper assumes.

    Raises:
        ValueError: ``mode`` is unknown, or ``model`` has nothing to fold (was it folded before?).
    """
    if mode not in MODES:
        raise ValueError(f'mode must be one of {MODES}, but got {mode!r}.')
    if not is_foldable(model):
        raise ValueError(f'model must have norms to fold, but {type(model).__name__} has none of our layers with some.')
    model = copy.deepcopy(model)
    folders = {ConvBN: _folded_conv_bn, ConvModule: _folded_conv_module, SpikeShared2FCBBoxHead: _joined_box_head}
    folders[RepConvBN] = _factored_rep_conv if mode == 'fast' else _dense_rep_conv
    folders[SDSA] = folders[SSA] = folders[PooledSDSA] = _joint_qkv if mode == 'fast' else _unscaled_sdsa
    if mode == 'spike':
        folders[SepConv] = _dense_sep_conv
    _replace(model.eval(), folders)
    model.reparameterized = mode  # for whom a model is given folded
    return model.eval()  # the new layers, too


def is_foldable(model: nn.Module) -> bool:
    """Tell whether :func:`reparameterize` has anything to fold in a model."""
    return any(isinstance(m, (RepConvBN, ConvBN)) for m in model.modules())


@MODELS.register_module()
def Reparameterized(model: dict, mode: str = 'fast', data_preprocessor: dict | None = None) -> nn.Module:
    """A type for configs: build a model and fold it, to load a checkpoint that was saved after folding.

    Args:
        model: Config of the model as it was trained.
        mode: As in :func:`reparameterize`.
        data_preprocessor: The config's, which mmengine hands to the outermost type; goes to the model within.
    """
    if data_preprocessor is not None:
        model = {'data_preprocessor': data_preprocessor, **model}
    return reparameterize(MODELS.build(model), mode)


@torch.no_grad()
def _replace(parent: nn.Module, folders: dict[type, Callable]) -> None:
    """Fold the layers below ``parent``, inner ones first."""
    for name, child in parent.named_children():
        _replace(child, folders)
        if type(child) in folders:
            setattr(parent, name, folders[type(child)](child))


def _affine(bn: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Scale and shift that a norm applies in evaluation, in float64."""
    scale = bn.weight.double() / (bn.running_var.double() + bn.eps).sqrt()
    return scale, bn.bias.double() - bn.running_mean.double() * scale


def _conv(weight: Tensor, bias: Tensor | None, like: nn.Conv2d, **kwargs) -> nn.Conv2d:
    """A convolution with these weights, of the type and place of ``like``'s."""
    args = dict(stride=like.stride, padding=like.padding, groups=like.groups) | kwargs
    out_channels, in_channels, *kernel = weight.shape
    conv = nn.Conv2d(in_channels * args['groups'], out_channels, kernel, bias=bias is not None, **args)
    conv = conv.to(like.weight)
    conv.weight.copy_(weight)
    if bias is not None:
        conv.bias.copy_(bias)
    return conv


def _folded_conv_bn(layer: ConvBN) -> OverTime:
    scale, shift = _affine(layer.bn)
    if layer.conv.bias is not None:
        shift = shift + scale * layer.conv.bias.double()
    return OverTime(_conv(scale[:, None, None, None] * layer.conv.weight.double(), shift, layer.conv))


def _folded_conv_module(layer: ConvModule) -> ConvModule:
    if layer.with_norm and isinstance(layer.norm, _BatchNorm) and layer.order[:2] == ('conv', 'norm'):
        layer.conv = fuse_conv_bn_eval(layer.conv, layer.norm)
        delattr(layer, layer.norm_name)
        layer.with_norm, layer.norm_name = False, None
    return layer


def _joined_box_head(head: SpikeShared2FCBBoxHead) -> SpikeShared2FCBBoxHead:
    """Classes and boxes straight from the spikes that the last shared layer reads; fewer weights, too."""
    shared = head.shared_fcs[-1]
    ends = [name for name in ('fc_cls', 'fc_reg') if hasattr(head, name)]
    plain = all(type(getattr(head, name)).forward in (nn.Linear.forward, Linear.forward) for name in ends)
    if not isinstance(head.out_neuron, nn.Identity) or not plain:
        return head
    weight, bias = shared.weight.double(), shared.bias.double()
    for name in ends:
        end = getattr(head, name)
        joined = nn.Linear(shared.in_features, end.out_features).to(end.weight)
        joined.weight.copy_(end.weight.double() @ weight)
        joined.bias.copy_(end.weight.double() @ bias + end.bias.double())
        setattr(head, name, joined)
    head.shared_fcs[-1] = nn.Identity()
    return head


def _factors(layer: RepConvBN) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Weights of the three convolutions with the norms in them, and the bias of the last; float64.

    The norm before the depthwise convolution leaves its scale only: what it shifts is its padding's value, too, so
    that the shift passes the convolution as a constant.
    """
    scale1, shift1 = _affine(layer.bn1)
    scale2, shift2 = _affine(layer.bn2)
    scale3, shift3 = _affine(layer.bn)
    dw, pw = layer.dw.weight.double(), layer.pw.weight.double()
    constant = pw.flatten(1) @ (dw.sum((1, 2, 3)) * shift1)
    scale = scale3 * scale2
    return (
        scale1[:, None, None, None] * layer.conv.weight.double(),
        dw,
        scale[:, None, None, None] * pw,
        scale * constant + scale3 * shift2 + shift3,
    )


def _factored_rep_conv(layer: RepConvBN) -> OverTime:
    conv, dw, pw, bias = _factors(layer)
    convs = _conv(conv, None, layer.conv), _conv(dw, None, layer.dw, padding=1), _conv(pw, bias, layer.pw)
    return OverTime(nn.Sequential(*convs))


def _dense_rep_conv(layer: RepConvBN) -> OverTime:
    conv, dw, pw, bias = _factors(layer)
    kernel = torch.einsum('om,mhw,mi->oihw', pw.flatten(1), dw[:, 0], conv.flatten(1))
    return OverTime(_conv(kernel, bias, layer.pw, padding=1))


def _dense_sep_conv(layer: SepConv) -> SepConv:
    """The pair's kernel is the pointwise one's combination of depthwise ones; ``pw2`` was folded before."""
    pw2 = layer.pw2.layer
    kernel = torch.einsum('om,mhw->omhw', pw2.weight.double().flatten(1), layer.dw.weight.double()[:, 0])
    layer.pw2 = OverTime(_conv(kernel, pw2.bias, pw2, padding=layer.dw.padding))
    layer.dw = nn.Identity()
    return layer


def _joint_qkv(layer: SDSA) -> SDSA:
    """Q, K and V in one go: their first convolutions read the same spikes, their neurons have the same constants."""
    if any(list(getattr(layer, f'{name}_neuron').parameters()) for name in layer.inputs):
        return layer  # neurons that learn have constants of their own
    parts = [getattr(layer, name).layer for name in layer.inputs]
    stages = [p if isinstance(p, nn.Sequential) else [p] for p in parts]
    joint = []
    for i, convs in enumerate(zip(*stages, strict=True)):
        weight = torch.cat([conv.weight for conv in convs])
        bias = None if convs[0].bias is None else torch.cat([conv.bias for conv in convs])
        groups = convs[0].groups * (len(convs) if i else 1)
        joint.append(_conv(weight, bias, convs[0], groups=groups))
    layer.join(OverTime(nn.Sequential(*joint)))
    return layer


def _unscaled_sdsa(layer: SDSA) -> SDSA:
    """The same spikes, exactly where the scale is a power of two. A threshold that is learnt keeps the scale."""
    neuron = layer.attn_neuron
    if layer.version >= 3 and layer.scale is not None and isinstance(neuron, LIF | IF | PLIF):
        neuron.v_threshold /= layer.scale
        if neuron.v_reset is not None:
            neuron.v_reset /= layer.scale
        layer.scale = None
    return layer
