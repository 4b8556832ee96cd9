"""Neurons and surrogate functions from configs; a model builds all of its neurons from one ``neuron=dict(...)``."""

from spikingjelly.activation_based.surrogate import Sigmoid, SurrogateFunctionBase
from torch import nn

from spikemm.registry import NEURONS, SURROGATES


def build_neuron(cfg: dict, **override) -> nn.Module:
    """Build a neuron layer.

    Args:
        cfg: ``dict(type='LIF', tau=2.0, ...)``; the types are in ``spikemm.registry.NEURONS``.
        **override: Arguments of this layer that differ from ``cfg``.
    """
    return _build('neuron', NEURONS, {**cfg, **override})


def build_surrogate(cfg: dict | SurrogateFunctionBase | None) -> SurrogateFunctionBase:
    """Build a surrogate function; None is the field's default, a sigmoid of slope 4."""
    if cfg is None:
        return Sigmoid(alpha=4.0)
    return cfg if isinstance(cfg, SurrogateFunctionBase) else _build('surrogate', SURROGATES, cfg)


def _build(name: str, registry, cfg: dict):
    # Registry.build follows the config's default scope, where these types do not exist; get does not.
    kwargs = dict(cfg)
    if 'type' not in kwargs:
        raise ValueError(f"{name} must be a dict with a 'type', but got {cfg!r}.")
    kind = kwargs.pop('type')
    cls = registry.get(kind) if isinstance(kind, str) else kind
    if cls is None:
        raise ValueError(f'{name} type must be one of {sorted(registry.module_dict)}, but got {kind!r}.')
    try:
        return cls(**kwargs)
    except TypeError as error:
        raise TypeError(f'{name} {kind} cannot be built from {kwargs!r}: {error}') from error
