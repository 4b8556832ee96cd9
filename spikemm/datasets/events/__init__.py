"""Recordings of event cameras: readers of their formats, which all give the same array."""

from spikemm.datasets.events.arrays import EVENT_DTYPE, make_events
from spikemm.datasets.events.atis import write_atis
from spikemm.datasets.events.reading import SUFFIXES, read_events
from spikemm.datasets.events.recording import Recording, Report

__all__ = ['EVENT_DTYPE', 'SUFFIXES', 'Recording', 'Report', 'make_events', 'read_events', 'write_atis']
