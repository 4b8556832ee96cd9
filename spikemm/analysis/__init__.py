"""What a network computes, what it costs, and whether it is spike-driven."""

from .audit import Audit, Finding, LayerVerdict, audit
from .counter import OperationCounter
from .counts import Counts, LayerCount, NeuronCount, Unknown

__all__ = [
    'Audit',
    'Counts',
    'Finding',
    'LayerCount',
    'LayerVerdict',
    'NeuronCount',
    'OperationCounter',
    'Unknown',
    'audit',
]
