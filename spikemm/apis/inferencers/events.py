"""Predict the classes of event recordings, at once or while they come in."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.registry import DATASETS, TRANSFORMS, DefaultScope
from mmpretrain.structures import DataSample
from torch import Tensor

from spikemm.apis.inferencers.base import Inferencer, find, test_dataset
from spikemm.apis.inferencers.classification import ClassificationInferencer
from spikemm.datasets.events import EVENT_DTYPE, Recording
from spikemm.datasets.transforms import LoadEvents
from spikemm.datasets.transforms.event_frames import EventFrames
from spikemm.models.data_preprocessors.event_cls import split_time
from spikemm.models.streaming import State, forward_with_state
from spikemm.ops.event_frames import frame_cuts
from spikemm.visualization.events import draw_frame

Events = str | Path | np.ndarray | Recording
"""A recording: a file, an array with the fields of ``EVENT_DTYPE``, or what ``read_events`` returns."""

STREAMABLE = ('count', 'binary')  # kinds of frames that depend on no event outside of them


class StreamState(NamedTuple):
    """All that a stream remembers; ``None`` in its place is the beginning.

    Args:
        potentials: State of the neurons.
        evidence: Logits ``[num_classes]``, summed over the time steps so far.
        steps: Their number; with ``half_life``, what is left of it.
    """

    potentials: State
    evidence: Tensor
    steps: float


class EventInferencer(Inferencer):
    """Predict event recordings with the test pipeline of a config and a checkpoint that must fit its model exactly.

    Call it with a recording or a list of them, or :meth:`stream` one window after the other. Its sensor's size is that
    of the file or, where the file does not say it, of the config's test dataset.

    Args:
        cfg: Config with ``model`` and ``test_dataloader``.
        checkpoint: Checkpoint file or URL.
        device: Device such as 'cpu' or 'cuda:0'; None takes the GPU if there is one.

    Example::

        inferencer = init_inferencer('my_config.py', 'epoch_10.pth')
        inferencer('a.bin')  # [{'pred_label': 3, 'pred_class': '3', 'pred_score': 0.98, 'pred_scores': ...}]
        for window in inferencer.stream('a.bin', window_us=10_000):
            print(window['end'], window['pred_class'], window['pred_score'])

        state = None
        for events in camera:  # arrays of the events of one window after the other
            prediction, state = inferencer.step(inferencer.to_frames(events), state)
    """

    scope = 'mmpretrain'
    class_name = ClassificationInferencer.class_name
    describe = ClassificationInferencer.describe

    def __init__(self, cfg: Config, checkpoint: str, device: str | None = None) -> None:
        super().__init__(cfg, checkpoint, device)
        dataset = test_dataset(cfg)
        with DefaultScope.overwrite_default_scope(self.scope):
            self.pipeline, self.window_pipeline, self.load, self.frames = event_pipelines(dataset.pipeline)
            size = dataset.get('sensor_size') or getattr(find(DATASETS, dataset.type), 'SENSOR_SIZE', None)
        self.sensor_size = None if size is None else tuple(size)

    def __call__(self, inputs: Events | Sequence[Events | dict], batch_size: int = 1) -> list[dict]:
        """Predict recordings.

        Args:
            inputs: A recording or a list of them. In a list, what a dataset's ``get_data_info`` returns is one, too: it
                may be a part of a file.
            batch_size: Recordings that go through the model together, at most.

        Returns:
            For each recording ``pred_label``, ``pred_class``, ``pred_score`` and ``pred_scores [num_classes]``.
        """
        return super().__call__([inputs] if isinstance(inputs, Recording) else inputs, batch_size)

    def preprocess(self, recording: Events | dict) -> dict:
        return self.pipeline(self.read(recording))

    def read(self, recording: Events | dict) -> dict:
        """Return the ``events`` of a recording, the ``sensor_size`` (height, width) and, of a part, its ``t_range``.

        Raises:
            OSError, ValueError: The recording cannot be read, has no event, or has no known size.
        """
        if isinstance(recording, dict):
            return self.load(dict(recording))
        if isinstance(recording, str | Path):
            return self.load(dict(event_path=str(recording), sensor_size=self.sensor_size))
        if isinstance(recording, np.ndarray):
            recording = Recording(recording, self.sensor_size, None)
        events, size, _ = recording
        if not {*EVENT_DTYPE.names} <= {*(events.dtype.names or ())} or not len(events) or size is None:
            raise ValueError('A recording that is an array must have at least one event, the fields t, x, y, p and, in '
                             f'the config, a `sensor_size`, but got {len(events)} of {events.dtype} and {size}.')
        return dict(event_path='an array', events=events, sensor_size=size)

    def postprocess(self, result: DataSample) -> dict:
        return self.prediction(result.pred_score)

    def prediction(self, scores: Tensor) -> dict:
        """Return scores ``[num_classes]`` as a prediction."""
        label = int(scores.argmax())
        return dict(pred_scores=scores.cpu().numpy(), pred_label=label, pred_score=float(scores[label]),
                    pred_class=self.class_name(label))

    @torch.no_grad()
    def step(
        self, frames: Tensor, state: StreamState | None = None, *, half_life: float | None = None,
    ) -> tuple[dict, StreamState]:
        """Predict what a stream shows, from the frames that came in and the state before them.

        Args:
            frames: One or more time steps ``[T, C, H, W]``, each as :meth:`to_frames` makes it.
            state: What the step before returned; None begins a stream. It is not changed.
            half_life: Time steps after which a frame counts half. None, counting all since the beginning equally,
                predicts at the end what a call predicts.

        Returns:
            A prediction as that of a call, with ``window_scores [num_classes]`` of these frames alone; and the state.
        """
        if not (frames.ndim == 4 and len(frames)):
            raise ValueError(f'`frames` must be [T, C, H, W] with T at least 1, but got {tuple(frames.shape)}.')
        if half_life is not None and not half_life > 0:
            raise ValueError(f'`half_life` must be a positive number of time steps, but got {half_life!r}.')
        x = self.model.data_preprocessor(dict(inputs=[frames]))['inputs']  # [T, 1, C, H, W]
        potentials, evidence, steps = state or (None, 0.0, 0.0)
        logits, potentials = forward_with_state(self.model, x, potentials)
        keep = 1.0 if half_life is None else 0.5 ** (len(x) / half_life)
        evidence, steps = keep * evidence + len(x) * logits[0], keep * steps + len(x)
        prediction = self.prediction((evidence / steps).softmax(-1))
        prediction['window_scores'] = logits[0].softmax(-1).cpu().numpy()
        return prediction, StreamState(potentials, evidence, steps)

    def to_frames(self, events: np.ndarray, sensor_size: tuple[int, int] | None = None) -> Tensor:
        """Make of a window's events, as a camera delivers them, what :meth:`step` takes.

        Args:
            events: All events of the window, or none, with the fields of ``EVENT_DTYPE``.
            sensor_size: Height and width of the sensor; None takes that of the config's test dataset.

        Returns:
            One time step ``[1, C, H, W]``.

        Raises:
            ValueError: The size is not known, or the config's frames depend on events outside of them.
        """
        self._check_streamable()
        sensor_size = sensor_size or self.sensor_size
        if sensor_size is None:
            raise ValueError('`sensor_size` must be given where the config has none, but got None.')
        t_range = None if len(events) else (0, 1)  # where there is no event, there must be a time
        with DefaultScope.overwrite_default_scope(self.scope):
            results = self.window_pipeline(dict(events=events, sensor_size=sensor_size, t_range=t_range))
        return self.split(results['inputs'])

    def stream(
        self, recording: Events | dict, window_us: int | None = None, *, half_life: float | None = None,
    ) -> Iterator[dict]:
        """Predict a recording window after window, each as one time step of the network.

        Args:
            recording: The recording, or what a dataset's ``get_data_info`` returns. For a source without end, call
                :meth:`to_frames` and :meth:`step`.
            window_us: Length of a window in us. None takes the frames of the config: the last prediction is then that
                of a call.
            half_life: As of :meth:`step`, in windows.

        Yields:
            For each window what :meth:`step` predicts, its ``start`` and ``end`` in us of the recording's clock (an
            event at ``end`` belongs to the next window) and its ``frame [C, H, W]``.

        Raises:
            ValueError: ``window_us`` is not positive or makes too many windows, or the config's frames depend on events
                outside of them.
        """
        if window_us is not None and window_us < 1:
            raise ValueError(f'`window_us` must be at least 1, but got {window_us!r}.')
        self._check_streamable()
        return self._stream(self.read(recording), window_us, half_life)

    def _stream(self, results, window_us, half_life) -> Iterator[dict]:
        state = None
        for start, end, events in windows(results, window_us, self.frames):
            frames = self.to_frames(events, results['sensor_size'])
            prediction, state = self.step(frames, state, half_life=half_life)
            yield dict(prediction, start=start, end=end, frame=frames[0].numpy())

    def _check_streamable(self) -> None:
        if self.frames.kwargs['kind'] not in STREAMABLE:
            raise ValueError(f'To stream, `kind` of EventFrames must be one of {STREAMABLE}, whose frames depend on no '
                             f'event before or after them, but got {self.frames.kwargs["kind"]!r}.')

    def split(self, inputs: Tensor) -> Tensor:
        """Return what the pipeline packs, ``[T * C, H, W]``, as ``[T, C, H, W]``."""
        return split_time(inputs, self.model.data_preprocessor.channels)

    def draw(
        self, recordings: Sequence[Events | dict], predictions: Sequence[dict], labels: Sequence[int] | None = None, *,
        columns: int = 10,
    ) -> Figure:
        """Draw the events of recordings, ON red and OFF blue, with the predicted class and its score below each.

        Args:
            recordings: The recordings that were predicted.
            predictions: What was predicted.
            labels: True classes, as of :meth:`ClassificationInferencer.draw`.
            columns: Pictures in a row, at most.

        Returns:
            A figure to save with ``savefig('picture.png')``.
        """
        with DefaultScope.overwrite_default_scope(self.scope):
            clips = [self.split(self.preprocess(recording)['inputs']) for recording in recordings]
        pictures = [draw_frame(clip.sum(0).numpy())[..., ::-1] for clip in clips]
        return ClassificationInferencer.draw(self, pictures, predictions, labels, columns=columns)


def event_pipelines(steps: Sequence[dict]) -> tuple[Compose, Compose, LoadEvents, EventFrames]:
    """Build a test pipeline for recordings, one for single windows, and the two transforms that both are made around.

    Raises:
        ValueError: The pipeline does not have LoadEvents and EventFrames.
    """
    kinds = [find(TRANSFORMS, step['type']) for step in steps]
    if LoadEvents not in kinds or EventFrames not in kinds:
        raise ValueError('The test pipeline must have spikemm.LoadEvents and spikemm.EventFrames, but got '
                         f'{[step["type"] for step in steps]}.')
    load, frames = ({**steps[kinds.index(kind)]} for kind in (LoadEvents, EventFrames))
    load['on_error'] = 'raise'
    one = {**frames, 'T': 1, 'split': 'time', 'duration': None}
    rest = [(step, kind) for step, kind in zip(steps, kinds, strict=True) if kind is not LoadEvents]
    whole = Compose([step for step, _ in rest])
    window = Compose([one if kind is EventFrames else step for step, kind in rest])
    return whole, window, TRANSFORMS.build(load), TRANSFORMS.build(frames)


def windows(results: dict, window_us: int | None, frames: EventFrames) -> Iterator[tuple[int, int, np.ndarray]]:
    """Cut a recording into windows of ``window_us`` or, if that is None, into the frames that ``frames`` makes of it.

    Yields:
        Start and end in us, and the events of a window.
    """
    events, split, T, duration = results['events'], frames.kwargs['split'], frames.T, frames.kwargs['duration']
    if window_us is not None:
        split, T, duration = 'duration', None, window_us
    cuts, edges = frame_cuts(events['t'], T, split=split, duration=duration, t_range=results.get('t_range'))
    edges[1:] += split == 'number'  # its frames end with an event, a window after it
    if len(events) and cuts[-1] == len(events):
        edges[-1] = max(edges[-1], events['t'][-1] + 1)
    for k in range(len(cuts) - 1):
        yield int(edges[k]), int(edges[k + 1]), events[cuts[k]:cuts[k + 1]]
