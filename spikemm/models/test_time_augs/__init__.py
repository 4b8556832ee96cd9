"""Models that merge the predictions of several views of an image."""

from .instance_tta import InstanceTTAModel

__all__ = ['InstanceTTAModel']
