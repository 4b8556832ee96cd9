"""Layers of mmcv, mmdet and mmseg on spikes: a neuron in front of each, no activation behind.

The neurons stand beside the stock layers, not around them, so that a spiking neck or head has the state dict of its
stock class, and its initialisation.
"""

from collections.abc import Iterable

from mmcv.cnn import ConvModule
from torch import Tensor, nn

from spikemm.neurons import build_neuron

from .time import over_time


def build_neurons(cfg: dict, layers: Iterable[nn.Module]) -> nn.ModuleList:
    """One neuron for each of ``layers``."""
    return nn.ModuleList(build_neuron(cfg) for _ in layers)


def fire_through(layers: Iterable[nn.Module], neurons: Iterable[nn.Module], x: Tensor) -> Tensor:
    """Neuron, layer, neuron, layer...; ``[T, B, ...]``, membrane potentials in and out."""
    for layer, neuron in zip(layers, neurons, strict=True):
        x = over_time(layer, neuron(x))
    return x


def drop_activations(layers: Iterable[nn.Module]) -> None:
    """Let mmcv's ConvModules among ``layers`` hand on the membrane potential: the next neuron is the activation."""
    for layer in layers:
        if isinstance(layer, ConvModule) and layer.with_activation:
            layer.with_activation = False
            del layer.activate
