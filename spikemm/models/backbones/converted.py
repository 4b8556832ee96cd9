"""Spiking networks converted from trained ANNs: every ReLU becomes an integrate-and-fire neuron."""

from collections.abc import Iterable
from copy import deepcopy

import torch
from mmengine.model import BaseModule
from spikingjelly.activation_based import functional
from spikingjelly.activation_based.ann2snn import FXConverter, RateCodingRecipe
from spikingjelly.activation_based.ann2snn.modules import VoltageScaler
from spikingjelly.activation_based.neuron import BaseNode
from torch import Tensor, fx, nn
from torch.nn.modules.batchnorm import _BatchNorm

from spikemm.layers import channels_last, mean_over_time, over_time
from spikemm.layers.time import repeat_over_time
from spikemm.neurons import build_neuron
from spikemm.registry import MODELS

IF = dict(type='IF', v_reset=None)  # soft reset: what is above the threshold stays, so that no input is lost
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
PIXELS = 224  # side of the image that tells strides; a VGG with its classifier takes no other


@MODELS.register_module()
class ConvertedANN(BaseModule):
    """Rate-coded spiking network with the layers and the weights of an ANN, such as mmpretrain's ResNet or VGG.

    SpikingJelly's ``ann2snn`` puts into the place of each ReLU::

        y[t] = scale * IF(x[t] / scale)

    with an integrate-and-fire neuron of soft reset and the largest activation met in calibration as ``scale``, and
    folds the batch norms. The mean of ``y`` over time approaches ``min(ReLU(x), scale)`` with an error of
    ``scale / T``. Source: `Conversion of Continuous-Valued Deep Networks to Efficient Event-Driven Networks
    <https://doi.org/10.3389/fnins.2017.00682>`_. A max pooling is :class:`CountMaxPool`, where SpikingJelly takes the
    maximum of the spikes at each step, which is more than the maximum of their means, however long T is.

    ``tools/model_converters/ann2snn.py`` makes a checkpoint from that of the ANN; without one the scales are 1 and the
    weights random. A call starts from rest and leaves nothing behind, and all of it can be trained further. What a
    still image needs before its first neuron is computed once.

    It is no :class:`SpikingBackbone`: the layers are those of any ANN, not stages of ours, so that there are no
    presets, and outputs, freezing and checkpointing are the business of ``ann``.

    Args:
        ann: Config of the ANN's backbone. Its outputs are those of this one.
        T: Number of time steps of a still image; a sequence keeps its own.
        neuron: Config of every neuron.
        time_reduction: 'mean' returns the mean over time, as the ANN's shapes ``[B, C, H, W]``, which its neck and head
            take; None returns ``[T, B, C, H, W]``. Of the outputs of a ResNet each step is 0 or ``scale``.
        init_cfg: Initialisation of mmengine.

    Raises:
        ValueError: The ANN has no ReLU, or layers that cannot be converted.
    """

    def __init__(
        self, ann: dict, *, T: int, neuron: dict = IF, time_reduction: str | None = 'mean',
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if not isinstance(T, int) or T < 1:
            raise ValueError(f'T must be a positive number of time steps, but got {T!r}.')
        if time_reduction not in (None, 'mean'):
            raise ValueError(f"time_reduction must be None or 'mean', but got {time_reduction!r}.")
        self.T, self.time_reduction = T, time_reduction
        device = torch.get_default_device()
        with torch.device('cpu'):  # the conversion reads numbers, which the meta device does not have
            net = MODELS.build(ann)
            self.net = convert_ann(net, neuron=neuron).to(device)
        first = next(m for m in net.modules() if isinstance(m, (nn.Conv2d, nn.Linear)))
        self.in_channels = first.in_channels
        net.eval()  # its own line, as mmpretrain's backbones return None
        image = torch.empty(1, self.in_channels, PIXELS, PIXELS, device='meta')
        shapes = [out.shape for out in net.to('meta')(image)]
        self.out_channels = [shape[1] for shape in shapes]
        self.strides = [round(PIXELS / shape[-1]) for shape in shapes if len(shape) == 4]  # a classifier has none

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Outputs of ``x``, an image ``[B, C, H, W]`` or a sequence ``[T, B, C, H, W]``."""
        if x.ndim not in (4, 5):
            raise ValueError(f'x must be [B, C, H, W] or [T, B, C, H, W], but got shape {tuple(x.shape)}.')
        if x.shape[-3] != self.in_channels:
            raise ValueError(f'x must have {self.in_channels} channels, but got {x.shape[-3]} in {tuple(x.shape)}.')
        x = channels_last(x)
        outs = self.net(x, None) if x.ndim == 5 else self.net(x.unsqueeze(0), self.T)
        return tuple(map(mean_over_time, outs)) if self.time_reduction else outs


class _Recipe(RateCodingRecipe):
    """SpikingJelly's, without its progress bar, which would show whenever a model is built."""

    def calibrate(self, converter: FXConverter, fx_model: fx.GraphModule) -> fx.GraphModule:
        for images in self.dataloader:
            fx_model(images.to(converter.device))
        return fx_model


def convert_ann(
    ann: nn.Module, images: Iterable[Tensor] = (), *, mode: str | float = '99.9%', neuron: dict = IF,
) -> fx.GraphModule:
    """The spiking network of an ANN, which stays as it is.

    Args:
        ann: Network with ``torch.nn.ReLU`` modules, that ``torch.fx`` can trace.
        images: Batches ``[B, C, H, W]`` to calibrate on: a scale is the moving average over the batches of what
            ``mode`` says. Without any, all scales are 1.
        mode: '99.9%' (any quantile) or 'max' of the activations, or a number up to 1 to multiply the maximum with.
        neuron: Config of every neuron.

    Returns:
        Module of ``(x, T)``: a sequence ``[T, B, C, H, W]`` and None, or a still image ``[1, B, C, H, W]`` and the
        number of steps to show it for. It returns what the ANN does, for every step.

    Raises:
        ValueError: The ANN has no ReLU, or layers that cannot be converted; or a layer was silent in calibration.
    """
    name = type(ann).__name__
    if not any(type(m) is nn.ReLU for m in ann.modules()):
        raise ValueError(f'ann must have torch.nn.ReLU modules, but {name} has none.')
    recipe = _Recipe(images, mode, neuron_factory=lambda scale: build_neuron(neuron))
    try:
        net = FXConverter(recipe).convert(_with_plain_norms(deepcopy(ann)))
    except (fx.proxy.TraceError, NotImplementedError, TypeError, ValueError) as error:
        raise ValueError(f'ann {name} cannot be converted: {error}') from error
    functional.set_step_mode(net, 'm')
    for module in net.modules():  # a bias that comes from a norm learns where the weight does
        if isinstance(getattr(module, 'bias', None), nn.Parameter):
            module.bias.requires_grad_(module.weight.requires_grad)
    _pool_counts(net)
    _repeat_before_neurons(net)
    return net


def _with_plain_norms(ann: nn.Module) -> nn.Module:
    """Synchronised norms, and what mmengine makes of them on CPU, as those that the conversion folds."""
    for module in ann.modules():
        if isinstance(module, _BatchNorm) and type(module) not in NORMS:
            module.__class__ = nn.BatchNorm2d
    return ann


class CountMaxPool(nn.Module):
    """Max pooling of what has arrived so far: its sum over time is the maximum of the sums, ``[T, B, C, H, W]``.

    The largest spike count in a window grows by one spike or none in a step, so that spikes come out.

    Args:
        pool: Pooling of one step.
    """

    needs_whole_sequence = True  # it counts from the first step

    def __init__(self, pool: nn.MaxPool2d) -> None:
        super().__init__()
        self.pool = pool

    def forward(self, x: Tensor) -> Tensor:
        counts = over_time(self.pool, x.cumsum(0))
        return torch.cat([counts[:1], counts.diff(dim=0)])


def _pool_counts(net: fx.GraphModule) -> None:
    """Let every max pooling count, and read the spikes themselves: sums of scaled ones would be rounded."""
    modules = dict(net.named_modules())
    for node in list(net.graph.nodes):
        pool = modules.get(node.target)
        if not isinstance(pool, nn.MaxPool2d):
            continue
        pool.step_mode = 's'
        net.set_submodule(node.target, CountMaxPool(pool))
        scaler, = node.all_input_nodes
        if isinstance(modules.get(scaler.target), VoltageScaler):
            with net.graph.inserting_after(node):
                scaled = net.graph.call_module(scaler.target)
            node.replace_all_uses_with(scaled)
            scaled.args = (node, )
            node.args = scaler.args
    net.graph.eliminate_dead_code()


def _repeat(x: Tensor, T: int | None) -> Tensor:
    """A still image's current ``[1, B, ...]`` for T steps; a sequence, for which T is None, as it is."""
    return x if T is None else repeat_over_time(x[0], T)


def _repeat_before_neurons(net: fx.GraphModule) -> None:
    """Give the network its argument ``T``, and repeat a still image where it first meets a neuron or a spike."""
    modules = dict(net.named_modules())
    image = next(node for node in net.graph.nodes if node.op == 'placeholder')
    with net.graph.inserting_after(image):
        steps = net.graph.placeholder('T')
    still = {image}
    for node in list(net.graph.nodes):
        if node in (image, steps):
            continue
        spikes = node.op == 'output' or isinstance(modules.get(node.target), BaseNode)
        if not spikes and still.issuperset(node.all_input_nodes):
            still.add(node)
            continue
        for source in still.intersection(node.all_input_nodes):
            with net.graph.inserting_before(node):
                node.replace_input_with(source, net.graph.call_function(_repeat, (source, steps)))
    net.graph.lint()
    net.recompile()
