from .event_cls import EventDataPreprocessor
from .event_det import EventDetDataPreprocessor

__all__ = ['EventDataPreprocessor', 'EventDetDataPreprocessor']
