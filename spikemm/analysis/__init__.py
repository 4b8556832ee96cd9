"""What a network computes, what it costs, and whether it is spike-driven."""

from .counter import OperationCounter
from .counts import Counts, LayerCount, NeuronCount, Unknown

__all__ = ['Counts', 'LayerCount', 'NeuronCount', 'OperationCounter', 'Unknown']
