"""What every spiking backbone shares: time, stages, outputs, freezing, checkpointing."""

from collections.abc import Sequence
from dataclasses import MISSING, fields, replace
from typing import Any

from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from spikemm.layers import channels_last, mean_over_time, recompute


class SpikingBackbone(BaseModule):
    """Stages over a spike sequence.

    A subclass has its presets in ``ARCHS``, instances of one frozen dataclass, and fills ``self.stages``; each maps
    ``[T, B, C, H, W]`` to the next and is a list of modules of which the first may have ``forward_image`` (the stem).
    It sets ``stage_channels`` and ``stage_strides``, one a stage.

    A call starts from rest and leaves nothing behind. Time ends here only with ``time_reduction='mean'``; by default
    it ends in a spiking neck or head.

    Args:
        T: Number of time steps of a still image; a sequence keeps its own.
        in_channels: Channels of the input.
        out_indices: Stages whose output (membrane potentials or spikes, as the shortcut has it) is returned.
        time_reduction: None returns ``[T, B, C, H, W]``; 'mean' returns the mean over time, ``[B, C, H, W]``, which
            every stock neck and head of mmdet, mmseg and mmpretrain takes.
        frozen_stages: Number of the last stage that does not learn; -1 freezes none.
        norm_eval: Whether batch norms keep their running statistics in training.
        with_cp: Whether blocks are recomputed in the backward (activation checkpointing): less memory, more time.
        init_cfg: Initialisation of mmengine.
    """

    ARCHS: dict[str, Any]
    stage_channels: Sequence[int]
    stage_strides: Sequence[int]
    stages: nn.ModuleList

    def __init__(
        self,
        *,
        T: int = 1,
        in_channels: int = 3,
        out_indices: Sequence[int] = (-1,),
        time_reduction: str | None = None,
        frozen_stages: int = -1,
        norm_eval: bool = False,
        with_cp: bool = False,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if not isinstance(T, int) or T < 1:
            raise ValueError(f'T must be a positive number of time steps, but got {T!r}.')
        if time_reduction not in (None, 'mean'):
            raise ValueError(f"time_reduction must be None or 'mean', but got {time_reduction!r}.")
        self.T, self.in_channels, self.time_reduction = T, in_channels, time_reduction
        self.frozen_stages, self.norm_eval, self.with_cp = frozen_stages, norm_eval, with_cp
        self._out_indices = out_indices

    @classmethod
    def resolve(cls, arch: str | dict) -> Any:
        """The sizes that ``arch`` names: a preset, or a dict with fields, which may start from a ``preset``."""
        given = {'preset': arch} if isinstance(arch, str) else dict(arch)
        preset = given.pop('preset', None)
        if preset is not None and preset not in cls.ARCHS:
            raise ValueError(f'arch must be one of {sorted(cls.ARCHS)} or a dict, but got {preset!r}.')
        kind = type(next(iter(cls.ARCHS.values())))
        unknown = set(given) - {field.name for field in fields(kind)}
        if unknown:
            raise ValueError(f'arch must have the fields {sorted(f.name for f in fields(kind))}, but got {unknown}.')
        if preset is not None:
            return replace(cls.ARCHS[preset], **given)
        missing = {f.name for f in fields(kind) if f.default is MISSING} - set(given)
        if missing:
            raise ValueError(f"arch must name a 'preset' or have {sorted(missing)}, but got {arch!r}.")
        return kind(**given)

    def finish(self) -> None:
        """To be called last in a subclass's constructor: check the stage numbers and freeze."""
        n = len(self.stages)
        for i in self._out_indices:
            if not -n <= i < n:
                raise ValueError(f'out_indices must be stages from {-n} to {n - 1}, but got {self._out_indices!r}.')
        if not -1 <= self.frozen_stages < n:
            raise ValueError(f'frozen_stages must be -1 to {n - 1}, but got {self.frozen_stages!r}.')
        self.out_indices = tuple(i % n for i in self._out_indices)
        self.out_channels = [self.stage_channels[i] for i in self.out_indices]
        self.strides = [self.stage_strides[i] for i in self.out_indices]
        for stage in self.stages[: self.frozen_stages + 1]:
            stage.requires_grad_(False)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Features of ``x``, an image ``[B, C, H, W]`` or a sequence ``[T, B, C, H, W]``, by ``out_indices``.

        Sizes that a stage's stride does not divide are rounded up by the convolutions' padding.
        """
        self._check(x)
        x = channels_last(x)
        outs = {}
        for i, stage in enumerate(self.stages):
            first, *blocks = stage
            x = first.forward_image(x, self.T) if x.ndim == 4 else first(x)
            for block in blocks:
                x = recompute(block, x) if self.with_cp and self.training else block(x)
            if i in self.out_indices:
                outs[i] = mean_over_time(x) if self.time_reduction else x
        return tuple(outs[i] for i in self.out_indices)

    def _check(self, x: Tensor) -> None:
        if x.ndim not in (4, 5):
            raise ValueError(f'x must be [B, C, H, W] or [T, B, C, H, W], but got shape {tuple(x.shape)}.')
        if x.shape[-3] != self.in_channels:
            raise ValueError(f'x must have {self.in_channels} channels, but got {x.shape[-3]} in {tuple(x.shape)}.')
        smallest = max(self.stage_strides)
        if min(x.shape[-2:]) < smallest:
            raise ValueError(f'x must be at least {smallest} x {smallest} pixels, but got shape {tuple(x.shape)}.')

    def train(self, mode: bool = True) -> 'SpikingBackbone':
        super().train(mode)
        if mode:
            for stage in self.stages[: self.frozen_stages + 1]:
                stage.eval()
            if self.norm_eval:
                for module in self.modules():
                    if isinstance(module, _BatchNorm):
                        module.eval()
        return self
