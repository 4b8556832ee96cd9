"""Spiking neurons over SpikingJelly's, and the builder that makes them from a config."""

from . import surrogate
from .builder import build_neuron, build_surrogate
from .integer import Integer
from .lif import IF, LIF, PLIF, ThresholdLIF
from .stateless import StatelessMixin

__all__ = ['IF', 'LIF', 'PLIF', 'Integer', 'StatelessMixin', 'ThresholdLIF', 'build_neuron', 'build_surrogate']
