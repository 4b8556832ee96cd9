"""mmdet's RoI heads on maps of several time steps."""

from collections.abc import Sequence

from mmdet.models.roi_heads import CascadeRoIHead, StandardRoIHead
from torch import Tensor

from spikemm.registry import MODELS


class MapsByImage:
    """Maps ``[T, B, C, H, W]`` that mmdet can index by image, as it does for its samplers: ``maps[i][None]``."""

    def __init__(self, maps: Tensor, image: int | None = None) -> None:
        self.maps = maps
        self.image = image

    def __getitem__(self, index: int | None) -> 'MapsByImage | Tensor':
        return MapsByImage(self.maps, index) if index is not None else self.maps[:, self.image:self.image + 1]


class SpikeRoIHeadMixin:
    """Before a RoI head of mmdet whose extractors are :class:`SpikeRoIExtractor`: training with maps of ``T`` steps."""

    def loss(self, x: Sequence[Tensor], *args, **kwargs) -> dict[str, Tensor]:
        return super().loss(tuple(MapsByImage(maps) if maps.ndim == 5 else maps for maps in x), *args, **kwargs)


@MODELS.register_module()
class SpikeStandardRoIHead(SpikeRoIHeadMixin, StandardRoIHead):
    """mmdet's StandardRoIHead on spiking parts. Time ends in its box and mask heads."""


@MODELS.register_module()
class SpikeCascadeRoIHead(SpikeRoIHeadMixin, CascadeRoIHead):
    """mmdet's CascadeRoIHead on spiking parts. Time ends in its box and mask heads."""
