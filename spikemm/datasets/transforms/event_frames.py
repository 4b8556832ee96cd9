"""From the events of a recording to the frames of a clip."""

import numpy as np
from mmcv.transforms import BaseTransform

from spikemm.datasets.transforms.on_error import file_log, loaded_events
from spikemm.ops.event_frames import check_arguments, event_frames
from spikemm.registry import TRANSFORMS


@TRANSFORMS.register_module()
class EventFrames(BaseTransform):
    """Turn events into a clip of ``T`` frames, on which the image transforms of the task libraries work.

    ``results['img']`` becomes float32 ``[H, W, T * C]``, with channel ``t * C + c`` and ``c`` 0 for OFF and 1 for ON
    events ('voxel' has a single channel). A flip, crop or resize moves all time steps the same way, and ``PackInputs``
    packs ``[T * C, H, W]`` without a copy of ours. For the splits and kinds see
    :func:`spikemm.ops.event_frames.event_frames`.

    Where ``results['t_range']`` is set, frames count from its start and an empty window gives empty frames. ``size``
    knows nothing of boxes: in detection keep the sensor's and let ``Resize`` follow. Events behind ``T`` frames of
    ``split='duration'`` are left out, with a warning, which the first ten files get, and are among the counts of
    :class:`spikemm.engine.hooks.BadImageHook`.

    Example::

        train_pipeline = [dict(type='spikemm.LoadEvents'),
                          dict(type='spikemm.EventFrames', T=8, split='number', size=(128, 128)),
                          dict(type='RandomFlip', prob=0.5), dict(type='PackInputs')]

    Args:
        T: Number of frames; None with ``split='duration'`` only, for as many as the recording is long.
        split: 'time', 'number' or 'duration'.
        kind: 'count', 'binary', 'voxel', 'polarity_voxel' or 'time_surface'.
        size: Height and width of the frames, or None for the sensor's.
        duration: Length of a frame in us, for ``split='duration'``.
        tau: Time constant in us, for ``kind='time_surface'``.
    """

    def __init__(
        self,
        T: int | None = None,
        *,
        split: str = 'time',
        kind: str = 'count',
        size: tuple[int, int] | None = None,
        duration: int | None = None,
        tau: float | None = None,
    ) -> None:
        self.T = T
        self.kwargs = dict(split=split, kind=kind, size=size, duration=duration, tau=tau)
        check_arguments(T, **self.kwargs)
        self.counts, self.log_cut = loaded_events(), file_log('cut')

    def transform(self, results: dict) -> dict:
        t_range, size, sensor_size = results.get('t_range'), self.kwargs['size'], results['sensor_size']
        path = results.get('event_path', 'an array')
        if size and tuple(size) != tuple(sensor_size) and not {'instances', 'gt_bboxes'}.isdisjoint(results):
            raise ValueError(f'size must be None where there are boxes, which Resize moves too, but got {size!r}.')
        try:
            frames = event_frames(results['events'], sensor_size, self.T, t_range=t_range, **self.kwargs)
        except ValueError as error:
            raise ValueError(f'Cannot make frames of {path}: {error}') from error
        self._count_cut(path, results['events']['t'], t_range)
        results['img'] = frames.reshape(-1, *frames.shape[2:]).transpose(1, 2, 0)
        results['img_shape'] = results['ori_shape'] = frames.shape[2:]
        return results

    def _count_cut(self, path: str, t: np.ndarray, t_range: tuple[int, int] | None) -> None:
        """Count the events that lie behind the last of ``T`` frames of fixed duration."""
        if self.T is None or self.kwargs['split'] != 'duration':
            return
        start, end = (t[0], t[-1]) if t_range is None else t_range
        covered = self.T * self.kwargs['duration']
        if end - start <= covered:  # then the last frame has the event at the end as well
            return
        cut = int(((t >= start + covered) & ((t < end) | (t_range is None))).sum())
        self.counts.cut.add(cut)
        if cut:
            self.log_cut(path, f'{cut} of {len(t)} events of {path} are behind the last of {self.T} frames: they cover '
                               f'{covered} of {end - start} us.')

    def __repr__(self) -> str:
        arguments = ''.join(f', {name}={value!r}' for name, value in self.kwargs.items() if value is not None)
        return f'{type(self).__name__}(T={self.T}{arguments})'
