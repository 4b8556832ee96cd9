"""What a network computes, what it costs, and whether it is spike-driven."""

from .audit import Audit, Finding, LayerVerdict, audit
from .counter import OperationCounter
from .counts import Counts, LayerCount, NeuronCount, Unknown
from .energy import CONVENTIONS, ENERGY_MODELS, Convention, Energy, EnergyModel, LayerEnergy, energy_of
from .measure import Meter, measure
from .memory import memory_aware
from .report import EnergyReport

__all__ = [
    'CONVENTIONS',
    'ENERGY_MODELS',
    'Audit',
    'Convention',
    'Counts',
    'Energy',
    'EnergyModel',
    'EnergyReport',
    'Finding',
    'LayerCount',
    'LayerEnergy',
    'LayerVerdict',
    'Meter',
    'NeuronCount',
    'OperationCounter',
    'Unknown',
    'audit',
    'energy_of',
    'measure',
    'memory_aware',
]
