"""Augmentations of event recordings, before frames are made of them.

Each takes ``results['events']``, an array of ``EVENT_DTYPE`` sorted by time, and ``results['sensor_size']``, (height,
width) in pixels, and puts a new array there, sorted and inside the sensor; the array that it was given stays as it is.
None leaves a recording without events. Random numbers come from ``np.random``, as in mmcv's transforms.

``results['t_range']``, the window that frames are made of, stays as it is, and no event leaves it.
"""

import numbers
from collections.abc import Sequence

import numpy as np
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness

from spikemm.registry import TRANSFORMS

STAYING = ('instances', 'gt_bboxes', 'gt_masks', 'gt_seg_map')  # of a sample; we move none of them
SEEDS = 2**31  # of the generators that draw a number for every event


class EventAugment(BaseTransform):
    """Base of the augmentations: a subclass has ``augment``, or a ``transform`` of its own."""

    moves_pixels = False  # so far that boxes and masks would have to follow

    def augment(self, events: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, tuple[int, int]]:
        """Return new events and the (height, width) of the sensor, in pixels, that they lie in."""
        raise NotImplementedError

    def transform(self, results: dict) -> dict:
        if self.moves_pixels:
            refuse_annotations(results, type(self).__name__)
        results['events'], results['sensor_size'] = self.augment(results['events'], tuple(results['sensor_size']))
        return results

    def __repr__(self) -> str:
        arguments = ', '.join(f'{name}={value!r}' for name, value in vars(self).items() if not name.startswith('_'))
        return f'{type(self).__name__}({arguments})'


@TRANSFORMS.register_module()
class EventFlip(EventAugment):
    """Flip a recording, with probability ``prob``.

    'horizontal' and 'vertical' mirror the image. 'polarity' exchanges ON and OFF, as a scene of inverted brightness
    would. 'time' plays the recording, or the window ``results['t_range']``, backwards and exchanges ON and OFF too,
    because what grew darker then grows brighter. Use only what keeps the label: a gesture of the left hand becomes one
    of the right in a mirror, and turns the other way round when it is played backwards.

    Example::

        train_pipeline = [dict(type='spikemm.LoadEvents'), dict(type='spikemm.EventFlip', prob=0.5), ...]

    Args:
        prob: Probability of a flip.
        direction: 'horizontal', 'vertical', 'polarity' or 'time'.

    Raises:
        ValueError: ``prob`` is not in [0, 1], ``direction`` is none of the four, or a sample has boxes or masks and
            the direction is not 'polarity': they belong to a place, and to the end of the recording.
    """

    def __init__(self, prob: float = 0.5, direction: str = 'horizontal') -> None:
        check_probability(prob)
        directions = ('horizontal', 'vertical', 'polarity', 'time')
        if direction not in directions:
            raise ValueError(f'`direction` must be one of {directions}, but got {direction!r}.')
        self.prob = prob
        self.direction = direction

    @cache_randomness
    def _draw(self) -> bool:
        return np.random.rand() < self.prob

    def transform(self, results: dict) -> dict:
        if self.direction != 'polarity':
            refuse_annotations(results, type(self).__name__)
        if self._draw():
            results['events'] = flip_events(
                results['events'], self.direction, results['sensor_size'], results.get('t_range'))
        return results


def flip_events(
    events: np.ndarray, direction: str, size: tuple[int, int], t_range: tuple[int, int] | None,
) -> np.ndarray:
    """Return a flipped copy of events; see :class:`EventFlip` for the directions."""
    flipped = events[::-1].copy() if direction == 'time' else events.copy()
    if direction == 'horizontal':
        flipped['x'] = size[1] - 1 - events['x']
    if direction == 'vertical':
        flipped['y'] = size[0] - 1 - events['y']
    if direction in ('polarity', 'time'):
        flipped['p'] ^= 1
    if direction == 'time' and len(events):
        start, end = (events['t'][0], events['t'][-1] + 1) if t_range is None else t_range
        flipped['t'] = start + end - 1 - flipped['t']  # the end itself is outside of the window
    return flipped


@TRANSFORMS.register_module()
class EventCrop(EventAugment):
    """Keep the events of a rectangle, which becomes the sensor.

    A rectangle without any event is moved to the middle event of the recording (the one with as many before as after
    it), so that the sensor has the same size in every sample.

    Args:
        crop_size: Side of the rectangle, or (height, width), in pixels.
        place: 'random' or 'center'.

    Raises:
        ValueError: The rectangle is larger than the sensor, or the sample has boxes or masks.
    """

    moves_pixels = True

    def __init__(self, crop_size: int | Sequence[int], place: str = 'random') -> None:
        sides = (crop_size, crop_size) if isinstance(crop_size, numbers.Integral) else tuple(crop_size)
        if len(sides) != 2 or not all(isinstance(side, numbers.Integral) and side > 0 for side in sides):
            raise ValueError(f'`crop_size` must be one or two positive integers, but got {crop_size!r}.')
        if place not in ('random', 'center'):
            raise ValueError(f"`place` must be 'random' or 'center', but got {place!r}.")
        self.crop_size = sides
        self.place = place

    @cache_randomness
    def _draw(self) -> np.ndarray:
        return np.random.rand(2)

    def augment(self, events: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, tuple[int, int]]:
        room = np.subtract(size, self.crop_size)
        if room.min() < 0:
            raise ValueError(f'`crop_size` must fit into the sensor of {size} (height, width), but got '
                             f'{self.crop_size}.')
        corner = room // 2 if self.place == 'center' else (self._draw() * (room + 1)).astype(int)
        inside = lies_inside(events, corner, self.crop_size)
        if len(events) and not inside.any():
            middle = events[len(events) // 2]
            corner = np.clip((int(middle['y']), int(middle['x'])) - np.array(self.crop_size) // 2, 0, room)
            inside = lies_inside(events, corner, self.crop_size)
        cropped = events.compress(inside)
        cropped['y'] -= np.uint16(corner[0])
        cropped['x'] -= np.uint16(corner[1])
        return cropped, self.crop_size


@TRANSFORMS.register_module()
class EventDrop(EventAugment):
    """EventDrop: leave out events by a strategy that is drawn for each sample.

    The strategies and what their ratio, drawn uniformly, means:

    - 'time': leave out an interval of that share of the recording; it starts anywhere and may run past the end.
    - 'area': leave out a rectangle whose sides are that share of the sensor's, anywhere inside the sensor.
    - 'random': leave out each event with that probability.
    - 'polarity' (not in the authors' code): leave out each event of one polarity, ON or OFF, with that probability.

    The recording stays whole where nothing would be left. A cutout is ``strategies=dict(area=(0.05, 0.25))``.

    `EventDrop: Data Augmentation for Event-based Learning <https://arxiv.org/abs/2106.05836>`_. The defaults are those
    of the `authors' code <https://github.com/fuqianggu/EventDrop>`_: it draws one of three strategies or none, and
    ratios in steps of 0.1 (0.05 for the area). There the interval is a share of the time from 0 to the last event; the
    rectangle may reach over the border, and its rows and columns are left out over the whole sensor; 'random' leaves
    out exactly that share.

    Args:
        prob: Probability of leaving out anything.
        strategies: Strategy to the (lowest, highest) ratio; each is as likely as the others.

    Raises:
        ValueError: ``prob`` is not in [0, 1], or ``strategies`` has unknown ones or no ranges within [0, 1].
    """

    def __init__(
        self, prob: float = 0.75,
        strategies: dict[str, Sequence[float]] = dict(time=(0.1, 0.9), area=(0.05, 0.25), random=(0.1, 0.9)),
    ) -> None:
        check_probability(prob)
        unknown = set(strategies) - set(DROPS)
        if unknown or not strategies:
            raise ValueError(f'`strategies` must be of {tuple(DROPS)}, but got {strategies!r}.')
        for name, ratios in strategies.items():
            if len(ratios) != 2 or not 0 <= ratios[0] <= ratios[1] <= 1:
                raise ValueError(f'`strategies` must have ratios (low, high) within [0, 1], but got {ratios!r} for '
                                 f'{name!r}.')
        self.prob = prob
        self.strategies = {name: tuple(ratios) for name, ratios in strategies.items()}

    @cache_randomness
    def _draw(self) -> tuple[str, float, np.ndarray, int] | None:
        if np.random.rand() >= self.prob:
            return None
        name = str(np.random.choice(list(self.strategies)))
        return name, np.random.uniform(*self.strategies[name]), np.random.rand(2), np.random.randint(SEEDS)

    def augment(self, events: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, tuple[int, int]]:
        drawn = self._draw()
        if drawn is None or not len(events):
            return events, size
        name, ratio, place, seed = drawn
        dropped = DROPS[name](events, size, ratio, place, np.random.default_rng(seed))
        return keep_some(events, ~dropped), size


def find_in_interval(events, size, ratio, place, rng) -> np.ndarray:
    first, last = int(events['t'][0]), int(events['t'][-1])
    start = first + place[0] * (last - first)
    return (events['t'] >= start) & (events['t'] < start + ratio * (last - first))


def find_in_rectangle(events, size, ratio, place, rng) -> np.ndarray:
    sides = np.rint(np.multiply(size, ratio)).astype(int)
    return lies_inside(events, (place * (np.array(size) - sides + 1)).astype(int), sides)


def find_any(events, size, ratio, place, rng) -> np.ndarray:
    return rng.random(len(events), dtype=np.float32) < ratio


def find_of_polarity(events, size, ratio, place, rng) -> np.ndarray:
    return (events['p'] == int(place[0] * 2)) & find_any(events, size, ratio, place, rng)


DROPS = dict(time=find_in_interval, area=find_in_rectangle, random=find_any, polarity=find_of_polarity)
"""Strategy of :class:`EventDrop` to its function, which returns the mask ``[N]`` of what is left out and takes the
events, the sensor's (height, width) in pixels, the ratio, a place in [0, 1) x [0, 1) and a generator."""


@TRANSFORMS.register_module()
class EventJitter(EventAugment):
    """Move every event on its own, by normally distributed distances.

    Events that leave the sensor are left out, unless no other were left: then the recording stays as it is. Times stay
    between those of the first and the last event.

    Args:
        std_space: Standard deviation along each axis, in pixels.
        std_time: Standard deviation in us.

    Raises:
        ValueError: A standard deviation is negative, or both are 0.
    """

    def __init__(self, std_space: float = 1.0, std_time: float = 0.0) -> None:
        for name, std in (('std_space', std_space), ('std_time', std_time)):
            if not 0 <= std < float('inf'):
                raise ValueError(f'`{name}` must be at least 0, but got {std!r}.')
        if std_space == std_time == 0:
            raise ValueError('`std_space` or `std_time` must be positive, but got 0 and 0.')
        self.std_space = std_space
        self.std_time = std_time

    @cache_randomness
    def _draw(self) -> int:
        return np.random.randint(SEEDS)

    def augment(self, events: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, tuple[int, int]]:
        rng = np.random.default_rng(self._draw())
        if not len(events):
            return events, size
        if self.std_space:
            events = jitter_space(events, size, self.std_space, rng)
        if self.std_time:
            events = jitter_time(events, self.std_time, rng)
        return events, size


def jitter_space(events: np.ndarray, size: tuple[int, int], std: float, rng: np.random.Generator) -> np.ndarray:
    """Return the events moved by ``std`` pixels along each axis, less those that leave the sensor."""
    inside, moved = True, {}
    for axis, side in (('y', size[0]), ('x', size[1])):
        moved[axis] = np.rint(events[axis] + std * rng.standard_normal(len(events), dtype=np.float32))
        inside = inside & (moved[axis] >= 0) & (moved[axis] < side)
    if not inside.any():
        return events
    kept = events.compress(inside)
    for axis, position in moved.items():
        kept[axis] = position[inside]
    return kept


def jitter_time(events: np.ndarray, std: float, rng: np.random.Generator) -> np.ndarray:
    """Return the events moved by ``std`` us, in their new order; events of equal times keep theirs."""
    first = events['t'][0]
    t = events['t'] - first
    last = t[-1]
    t += np.rint(std * rng.standard_normal(len(t), dtype=np.float32)).astype(np.int64)
    t, order = sort_times(np.clip(t, 0, last, out=t))
    moved = events.take(order)
    moved['t'] = t + first
    return moved


def sort_times(t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return times ``t`` >= 0 in us, shape ``[N]``, in their stable order, and that order.

    Sorting the times with their index in the lowest bits takes a fifth of the time of numpy's stable sort.
    """
    bits = len(t).bit_length()
    if int(t.max()).bit_length() + bits >= 64:
        order = np.argsort(t, kind='stable')
        return t[order], order
    packed = np.sort(t << bits | np.arange(len(t)))
    return packed >> bits, packed & ((1 << bits) - 1)


@TRANSFORMS.register_module()
class EventRoll(EventAugment):
    """Shift a recording by whole pixels; what leaves the sensor on one side comes in on the other.

    Args:
        max_shift: Largest distance along each axis, in pixels; every one from ``-max_shift`` is as likely.

    Raises:
        ValueError: ``max_shift`` is not a positive integer, or the sample has boxes or masks.
    """

    moves_pixels = True

    def __init__(self, max_shift: int) -> None:
        if not isinstance(max_shift, numbers.Integral) or max_shift < 1:
            raise ValueError(f'`max_shift` must be a positive integer, but got {max_shift!r}.')
        self.max_shift = max_shift

    @cache_randomness
    def _draw(self) -> np.ndarray:
        return np.random.randint(-self.max_shift, self.max_shift + 1, 2)

    def augment(self, events: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, tuple[int, int]]:
        rolled = events.copy()
        for axis, side, shift in zip('yx', size, self._draw().tolist(), strict=True):
            rolled[axis] = np.roll(np.arange(side), -shift)[events[axis]]
        return rolled, size


def lies_inside(events: np.ndarray, corner: Sequence[int], sides: Sequence[int]) -> np.ndarray:
    """Return the mask ``[N]`` of events in the rectangle of ``sides`` (height, width) from ``corner`` (top, left)."""
    (top, left), (height, width) = corner, sides
    x, y = events['x'], events['y']
    return (x >= left) & (x < left + width) & (y >= top) & (y < top + height)


def keep_some(events: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Return the events of the mask ``kept``, or all where it has none."""
    return events.compress(kept) if kept.any() else events


def check_probability(prob: float) -> None:
    if not 0 <= prob <= 1:
        raise ValueError(f'`prob` must be in [0, 1], but got {prob!r}.')


def refuse_annotations(results: dict, name: str) -> None:
    """Raise a ValueError where a sample has boxes or masks, which ``name`` would leave where they were."""
    found = [key for key in STAYING if key in results]
    if found:
        raise ValueError(f'A sample for spikemm.{name} must have no boxes or masks, which it does not move, but got '
                         f'{found}. Use the transforms of mmdet or mmseg on the frames instead.')
