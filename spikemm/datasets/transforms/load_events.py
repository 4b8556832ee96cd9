"""Read a recording of an event camera; one that cannot be used is an error or is skipped and counted."""

import logging
from pathlib import Path

import numpy as np
from mmcv.transforms import BaseTransform

from spikemm.datasets.events import Report, read_events
from spikemm.datasets.events.reading import check_arguments
from spikemm.datasets.events.recording import NeedsSetting
from spikemm.datasets.transforms.on_error import SkipOrRaise, explain, file_log, loaded_events
from spikemm.registry import TRANSFORMS


@TRANSFORMS.register_module()
class LoadEvents(SkipOrRaise, BaseTransform):
    """Load ``results['event_path']`` as an array of events, or say which file cannot be used and why.

    ``results['t_range']``, in us, selects a part of the recording. ``results['sensor_size']`` is the size (height,
    width) of the sensor for formats that do not store it; it is replaced by the size that the recording has. Events
    that are given as an array, as inferencers do, pass.

    A recording is unusable when it is missing, damaged or without any event, or, with ``outside='raise'``, when events
    lie outside the sensor. What was repaired or left out of the others is in a warning, which the first ten files get,
    and in the counts that :class:`spikemm.engine.hooks.BadImageHook` reports. A ``t_range`` without events is an empty
    sample, with a warning. For ``on_error`` see :class:`LoadImage`; a setting that is missing or contradicts the file
    (``sensor_size``, ``time_unit``) is always an error.

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
        self.log_repaired, self.log_empty, self.log_facts = map(file_log, ('repaired', 'empty', 'facts'))

    def transform(self, results: dict) -> dict | None:
        if isinstance(results.get('events'), np.ndarray):
            return results
        path, t_range = results['event_path'], results.get('t_range')
        try:
            events, size, report = read_events(
                path, size=results.get('sensor_size'), t_range=t_range, outside=self.outside, time_unit=self.time_unit)
        except NeedsSetting:
            raise
        except (OSError, ValueError) as error:
            reason = explain(path, error).removeprefix(f'{path}: ').rstrip('.')
            return self.refuse('recording', path, reason, error)
        if not len(events) and t_range is None:
            return self.refuse('recording', path, 'it has no event')
        self._count(path, report)
        if not len(events):
            self.log_empty(path, f'The recording {path} has no event between {t_range[0]} and {t_range[1]} us.')
        return {**results, 'events': events, 'sensor_size': size}

    def _count(self, path: str, report: Report) -> None:
        self.counts.read.add(report.read)
        self.counts.repaired.add(sum(report.repaired.values()))
        self.counts.dropped.add(sum(report.dropped.values()))
        if report:
            self.log_repaired(path, f'The recording {path} is not as it must be: {report}.')
        elif report.facts:
            self.log_facts(path, f'The recording {path} is unusual: {report}.', logging.DEBUG)

    def __repr__(self) -> str:
        return (f'{type(self).__name__}(on_error={self.on_error!r}, outside={self.outside!r}, '
                f'time_unit={self.time_unit!r})')
