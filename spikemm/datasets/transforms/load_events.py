"""Read a recording of an event camera; one that cannot be used is an error or is skipped and counted."""

from pathlib import Path

import numpy as np
from mmcv.transforms import BaseTransform

from spikemm.datasets.events import Report, read_events
from spikemm.datasets.events.reading import check_arguments
from spikemm.datasets.transforms.on_error import SkipOrRaise, explain, loaded_events
from spikemm.registry import TRANSFORMS


@TRANSFORMS.register_module()
class LoadEvents(SkipOrRaise, BaseTransform):
    """Load ``results['event_path']`` as an array of events, or say which file cannot be used and why.

    ``results['t_range']``, in us, selects a part of the recording. ``results['sensor_size']`` is the size (height,
    width) of the sensor for formats that do not store it; it is replaced by the size that the recording has. Events
    that are given as an array, as inferencers do, pass.

    A recording is unusable when it is missing, damaged or without any event, or, with ``outside='raise'``, when events
    lie outside the sensor. What was repaired or left out is in ``results['event_report']``, in one warning a file and
    in the counts that :class:`spikemm.engine.hooks.BadImageHook` reports. A ``t_range`` without events is an empty
    sample, with a warning. For ``on_error`` see :class:`LoadImage`.

    Example::

        train_pipeline = [dict(type='spikemm.LoadEvents', on_error='skip'),
                          dict(type='spikemm.EventFrames', T=10, split='number'), dict(type='PackInputs')]

    Args:
        on_error: 'raise' or 'skip'.
        outside: What :func:`spikemm.datasets.events.read_events` does with events outside the sensor.
        time_unit: Unit of the time stamps, for formats that do not say it; see ``read_events``.
    """

    def __init__(self, *, on_error: str = 'raise', outside: str = 'raise', time_unit: str | None = None) -> None:
        super().__init__(on_error=on_error)
        check_arguments(Path('any.npz'), None, outside, time_unit)  # now: later, 'skip' would skip every recording
        self.outside = outside
        self.time_unit = time_unit
        self.counts = loaded_events()

    def transform(self, results: dict) -> dict | None:
        if isinstance(results.get('events'), np.ndarray):
            return results
        path, t_range = results['event_path'], results.get('t_range')
        try:
            events, size, report = read_events(
                path, size=results.get('sensor_size'), t_range=t_range, outside=self.outside, time_unit=self.time_unit)
        except (OSError, ValueError) as error:
            reason = explain(path, error).removeprefix(f'{path}: ').rstrip('.')
            return self.refuse('recording', path, reason, error)
        if not len(events) and t_range is None:
            return self.refuse('recording', path, 'it has no event')
        self._report(path, report, f'between {t_range[0]} and {t_range[1]} us' if not len(events) else '')
        return {**results, 'events': events, 'sensor_size': size, 'event_report': report}

    def _report(self, path: str, report: Report, empty: str) -> None:
        for count, number in zip(
            self.counts, (report.read, sum(report.repaired.values()), sum(report.dropped.values())), strict=True,
        ):
            count.add(number)
        if report:
            self.warn_once(path, f'The recording {path} is not as it must be: {report}.')
        elif empty:
            self.warn_once(path, f'The recording {path} has no event {empty}.')

    def __repr__(self) -> str:
        return (f'{type(self).__name__}(on_error={self.on_error!r}, outside={self.outside!r}, '
                f'time_unit={self.time_unit!r})')
