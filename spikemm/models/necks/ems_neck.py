"""The neck of EMS-YOLO."""

from collections.abc import Sequence

import torch
from mmengine.model import BaseModule
from torch import Tensor

from spikemm.layers import mean_over_time, to_sequence
from spikemm.registry import MODELS

from ..backbones.ems_resnet import ems_block
from ..backbones.ms_resnet import NEURON, init_norms
from .spike_fpn import enlarge


@MODELS.register_module()
class EMSNeck(BaseModule):
    """Neck of EMS-YOLO, `Deep Directly-Trained Spiking Neural Networks for Object Detection
    <https://arxiv.org/abs/2307.11411>`_: the two levels of YOLOv3-tiny of EMS-ResNet's blocks.

    The coarse map, of stride 32, is squeezed by a wide block. From there one block makes the coarse output; another, of
    1x1 convolutions, a map that is enlarged (nearest neighbours) and put in front of the fine map, of stride 16, for
    the block that makes the fine output. The structure is modules 9 to 14 of ``models/resnet34.yaml`` of
    https://github.com/BICLab/EMS-YOLO. Its ``resnet18.yaml`` and ``resnet34-cat.yaml`` have instead of both blocks in
    front of the outputs convolutions whose SiLU gives real numbers; these are not here.

    Every convolution reads spikes; the outputs are membrane potentials. As with :class:`SpikeFPN`, time passes through
    by default and ends in spiking heads.

    Args:
        in_channels: Channels of the fine and the coarse map.
        out_channels: Channels of the fine and the coarse output. The released are the default; the heads of YOLOX and
            RetinaNet need equal ones.
        channels: Channels of the squeezed map; the one that is enlarged has half of them.
        hidden_channels: Channels within the block that squeezes.
        neuron: Config of every neuron.
        time_reduction: None returns ``[T, B, C, H, W]``; 'mean' the mean over time, ``[B, C, H, W]``.
        residual_init: Weight that the last norm of every residual branch starts with; the others start at the neuron's
            threshold.
        init_cfg: Initialisation of mmengine.
    """

    def __init__(
        self,
        in_channels: Sequence[int] = (256, 512),
        out_channels: Sequence[int] = (256, 512),
        *,
        channels: int = 256,
        hidden_channels: int = 1024,
        neuron: dict = NEURON,
        time_reduction: str | None = None,
        residual_init: float = 0.1,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if time_reduction not in (None, 'mean'):
            raise ValueError(f"time_reduction must be None or 'mean', but got {time_reduction!r}.")
        for name, widths in (('in_channels', in_channels), ('out_channels', out_channels)):
            if len(widths) != 2:
                raise ValueError(f'{name} must be those of a fine and a coarse map, but got {widths!r}.')
        fine, coarse = in_channels
        self.time_reduction = time_reduction
        self.squeeze = ems_block(coarse, channels, neuron, hidden_channels=hidden_channels)
        self.coarse = ems_block(channels, out_channels[1], neuron)
        self.top_down = ems_block(channels, channels // 2, neuron, kernel_size=1)
        self.fine = ems_block(channels // 2 + fine, out_channels[0], neuron)
        init_norms(self, neuron, residual_init)

    def forward(self, inputs: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """The fine and the coarse output of two maps ``[T, B, C, H, W]``, or ``[B, C, H, W]`` as one time step."""
        if len(inputs) != 2:
            raise ValueError(f'inputs must be a fine and a coarse map, but got {len(inputs)}.')
        fine, coarse = (to_sequence(x, 1) for x in inputs)
        squeezed = self.squeeze(coarse)
        context = enlarge(self.top_down(squeezed), fine.shape[-2:])
        outs = self.fine(torch.cat((context, fine), dim=2)), self.coarse(squeezed)
        return tuple(mean_over_time(x) for x in outs) if self.time_reduction else outs
