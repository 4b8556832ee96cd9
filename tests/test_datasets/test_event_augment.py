import numpy as np
import pytest
from mmcv.transforms.utils import cache_random_params

from spikemm.datasets.events import EVENT_DTYPE, make_events
from spikemm.datasets.transforms import EventCrop, EventDrop, EventFlip, EventJitter, EventRoll
from spikemm.datasets.transforms.event_augment import sort_times
from spikemm.ops.event_frames import event_frames

SIZE = (3, 4)  # height and width
FEW = make_events(t=[100, 110, 110, 150], x=[0, 3, 1, 2], y=[0, 2, 1, 2], p=[1, 0, 1, 1])
EMPTY = np.zeros(0, EVENT_DTYPE)
EVERY = [
    EventFlip(1.0), EventFlip(1.0, 'vertical'), EventFlip(1.0, 'polarity'), EventFlip(1.0, 'time'), EventCrop(17),
    EventCrop((9, 30), 'center'), EventJitter(2.0), EventJitter(0.0, 500.0), EventJitter(2.0, 500.0), EventRoll(60),
    *(EventDrop(1.0, {name: (0.2, 0.4)}) for name in ('time', 'area', 'random', 'polarity'))]
every = pytest.mark.parametrize('transform', EVERY, ids=repr)


def many(number=20_000, size=(24, 32)):
    rng = np.random.default_rng(0)
    return make_events(
        np.sort(rng.integers(-5_000, 5_000, number)), rng.integers(0, size[1], number),
        rng.integers(0, size[0], number), rng.integers(0, 2, number)), size


def run(transform, events=FEW, size=SIZE, seed=0):
    np.random.seed(seed)
    results = transform({'events': events, 'sensor_size': size})
    return results['events'], results['sensor_size']


def columns(events):
    return [events[name].tolist() for name in 'txyp']


@every
def test_events_stay_sorted_and_inside_the_sensor(transform):
    events, (height, width) = run(transform, *many())
    assert len(events) and events.dtype == EVENT_DTYPE
    assert (np.diff(events['t']) >= 0).all()
    assert events['x'].max() < width and events['y'].max() < height and events['p'].max() <= 1


@every
def test_the_given_array_is_left_as_it_was_and_something_changes(transform):
    events, size = many()
    before = events.copy()
    augmented, _ = run(transform, events, size)
    assert (events == before).all()
    assert len(augmented) != len(before) or (augmented != before).any()


@every
def test_a_seed_gives_the_same_events_again(transform):
    events, size = many()
    first, second = (run(transform, events, size, seed=7)[0] for _ in range(2))
    assert len(first) and len(first) == len(second) and (first == second).all()


@every
def test_random_choices_can_be_shared_by_two_recordings(transform):
    results = dict(zip(('events', 'sensor_size'), many(), strict=True))
    with cache_random_params(transform):
        first, second = (transform(dict(results))['events'] for _ in range(2))
    assert len(first) == len(second) and (first == second).all()


@every
def test_a_recording_without_events_passes(transform):
    events, _ = run(transform, EMPTY, (24, 32))
    assert len(events) == 0 and events.dtype == EVENT_DTYPE


@pytest.mark.parametrize(('direction', 'expected'), [
    ('horizontal', [[100, 110, 110, 150], [3, 0, 2, 1], [0, 2, 1, 2], [1, 0, 1, 1]]),
    ('vertical', [[100, 110, 110, 150], [0, 3, 1, 2], [2, 0, 1, 0], [1, 0, 1, 1]]),
    ('polarity', [[100, 110, 110, 150], [0, 3, 1, 2], [0, 2, 1, 2], [0, 1, 0, 0]]),
    ('time', [[100, 140, 140, 150], [2, 1, 3, 0], [2, 1, 2, 0], [0, 0, 1, 0]]),
])
def test_flip_gives_what_was_worked_out_by_hand(direction, expected):
    assert columns(run(EventFlip(1.0, direction))[0]) == expected


def test_a_window_is_played_backwards_from_its_end():
    given = {'events': FEW, 'sensor_size': SIZE, 't_range': (90, 200)}  # the last time in it is 199
    results = EventFlip(1.0, 'time')(dict(given))
    assert results['events']['t'].tolist() == [139, 179, 179, 189] and results['t_range'] == (90, 200)
    whole = event_frames(FEW, SIZE, 11, t_range=(90, 200))
    assert (event_frames(results['events'], SIZE, 11, t_range=(90, 200)) == whole[::-1, ::-1]).all()


@every
def test_a_window_stays_and_keeps_its_events(transform):
    events, size = many()
    events['t'][[0, -1]] = -9_000, 8_000
    np.random.seed(0)
    results = transform({'events': events, 'sensor_size': size, 't_range': (-9_000, 9_000)})
    assert results['t_range'] == (-9_000, 9_000)
    assert results['events']['t'][0] >= -9_000 and results['events']['t'][-1] < 9_000


@pytest.mark.parametrize('transform', EVERY[:4], ids=repr)
def test_a_second_flip_undoes_the_first(transform):
    events, size = many()
    assert (run(transform, *run(transform, events, size))[0] == events).all()


def test_flip_happens_as_often_as_prob_says():
    transform = EventFlip(0.3)
    np.random.seed(0)
    flips = [transform({'events': FEW, 'sensor_size': SIZE})['events'] is not FEW for _ in range(1000)]
    assert 0.26 < np.mean(flips) < 0.34


def test_crop_shifts_coordinates_and_becomes_the_sensor():
    events, size = run(EventCrop((1, 2), 'center'))  # row 1, columns 1 and 2
    assert columns(events) == [[110], [0], [0], [1]]
    assert size == (1, 2)


def test_random_crop_reaches_every_place():
    events = make_events(range(12), np.tile(range(4), 3), np.repeat(range(3), 4), [1] * 12)  # one event a pixel
    transform = EventCrop(2)
    np.random.seed(0)
    first = {int(transform({'events': events, 'sensor_size': SIZE})['events']['t'][0]) for _ in range(200)}
    assert first == {0, 1, 2, 4, 5, 6}  # top left corners


@pytest.mark.parametrize(('x', 'y', 'expected'), [(3, 2, (1, 1)), (0, 0, (0, 0))])
def test_a_crop_without_events_moves_to_the_middle_event(x, y, expected):
    events = make_events([5], [x], [y], [1])
    cropped, size = run(EventCrop((2, 2), 'center'), events, (10, 10))
    assert size == (2, 2) and len(cropped) == 1
    assert (cropped['y'][0], cropped['x'][0]) == expected


def test_drop_by_time_leaves_out_one_interval_of_the_stated_length():
    events = make_events(range(1000, 2001), *[[0] * 1001] * 3)
    np.random.seed(0)
    transform, lost = EventDrop(1.0, dict(time=(0.3, 0.3))), []
    for _ in range(50):
        kept = transform({'events': events, 'sensor_size': SIZE})['events']['t']
        gap = np.setdiff1d(events['t'], kept)
        assert (np.diff(gap) == 1).all()
        lost.append(len(gap))
    assert max(lost) in (300, 301) and min(lost) < 300, 'all inside, and one that runs past the end'


def test_drop_by_area_empties_one_rectangle():
    side = np.arange(40)
    events = make_events(np.arange(1600), np.tile(side, 40), np.repeat(side, 40), [1] * 1600)  # one event a pixel
    kept, _ = run(EventDrop(1.0, dict(area=(0.25, 0.25))), events, (40, 40))
    empty = np.ones((40, 40), bool)
    empty[kept['y'], kept['x']] = False
    rows, cols = empty.any(1).nonzero()[0], empty.any(0).nonzero()[0]
    assert empty.sum() == 100 and len(rows) == len(cols) == 10
    assert np.ptp(rows) == np.ptp(cols) == 9


@pytest.mark.parametrize('ratio', [0.1, 0.5, 0.9])
def test_random_drop_leaves_out_the_stated_share(ratio):
    events, size = many()
    kept, _ = run(EventDrop(1.0, dict(random=(ratio, ratio))), events, size)
    assert abs(1 - len(kept) / len(events) - ratio) < 0.01


def test_drop_by_polarity_leaves_the_other_polarity_whole():
    events, size = many()
    transform = EventDrop(1.0, dict(polarity=(1.0, 1.0)))
    left = [run(transform, events, size, seed)[0]['p'] for seed in range(10)]
    assert {tuple(np.unique(p)) for p in left} == {(0,), (1,)}
    assert {len(p) for p in left} == {(events['p'] == 0).sum(), (events['p'] == 1).sum()}


def test_by_default_a_quarter_is_left_alone():
    events, size = many(200)
    transform = EventDrop()
    np.random.seed(0)
    whole = [transform({'events': events, 'sensor_size': size})['events'] is events for _ in range(2000)]
    assert 0.22 < np.mean(whole) < 0.28


@pytest.mark.parametrize('strategy', ['area', 'random', 'polarity'])
def test_a_drop_that_would_leave_nothing_leaves_all(strategy):
    events = FEW[FEW['p'] == 1]
    for seed in range(10):
        kept, _ = run(EventDrop(1.0, {strategy: (1.0, 1.0)}), events, seed=seed)
        assert (kept == events).all() and len(kept) == 3


def test_jitter_in_space_has_the_stated_deviation():
    events = make_events(range(20_000), *[[500] * 20_000] * 2, [1] * 20_000)
    moved, _ = run(EventJitter(3.0), events, (1000, 1000))
    assert len(moved) == 20_000 and (moved['t'] == events['t']).all()
    for axis in 'xy':
        assert abs(moved[axis].astype(float).mean() - 500) < 0.1
        assert abs(moved[axis].std() - 3) < 0.1


def test_jitter_leaves_out_what_leaves_the_sensor():
    events = make_events(range(20_000), *[[0] * 20_000] * 2, [1] * 20_000)
    kept = len(run(EventJitter(100.0), events, (10_000, 10_000))[0]) / 20_000
    assert abs(kept - 0.25) < 0.02, 'half of it stays on either axis'


def test_jitter_that_would_leave_nothing_leaves_all():
    event = make_events([0], [0], [0], [1])
    moved = [run(EventJitter(1000.0), event, (1, 1), seed)[0] for seed in range(5)]
    assert all(len(each) == 1 and (each == event).all() for each in moved)


def test_jitter_in_time_moves_whole_events():
    events = make_events(range(0, 2_000_000, 100), np.arange(20_000), np.arange(20_000), [1] * 20_000)
    moved, _ = run(EventJitter(0.0, 2000.0), events, (20_000, 20_000))
    assert (moved['x'] == moved['y']).all() and (np.diff(moved['x'].astype(int)) < 0).any()
    shift = moved['t'] - events['t'][moved['x']]
    assert abs(shift.std() - 2000) < 40 and abs(shift.mean()) < 50
    assert moved['t'][0] >= 0 and moved['t'][-1] <= events['t'][-1]


@pytest.mark.parametrize('largest', [50, 2**62])  # the second has no bits to spare
def test_sorting_times_is_stable(largest):
    t = np.random.default_rng(0).integers(0, 50, 5000)
    t[17] = largest
    ordered, order = sort_times(t)
    expected = np.argsort(t, kind='stable')
    assert (order == expected).all() and (ordered == t[expected]).all()


def test_roll_comes_in_on_the_other_side():
    rolled, _ = run(EventRoll(5), seed=3)
    dx, dy = ((rolled[axis].astype(int) - FEW[axis].astype(int)) % side for axis, side in (('x', 4), ('y', 3)))
    assert (dx == dx[0]).all() and (dy == dy[0]).all()
    assert (rolled[['t', 'p']] == FEW[['t', 'p']]).all()


def test_roll_draws_all_shifts_of_both_signs():
    event, transform = make_events([0], [50], [50], [1]), EventRoll(2)
    np.random.seed(0)
    drawn = [transform({'events': event, 'sensor_size': (100, 100)})['events'][0] for _ in range(300)]
    assert {int(e['x']) for e in drawn} == {int(e['y']) for e in drawn} == {48, 49, 50, 51, 52}


@pytest.mark.parametrize('transform', [EventFlip(1.0), EventFlip(1.0, 'time'), EventCrop(2), EventRoll(1)], ids=repr)
def test_what_moves_objects_or_the_end_refuses_boxes(transform):
    with pytest.raises(ValueError, match=rf"spikemm\.{type(transform).__name__} must have no boxes.*\['gt_bboxes'\]"):
        transform({'events': FEW, 'sensor_size': SIZE, 'gt_bboxes': np.zeros((1, 4))})


@pytest.mark.parametrize('transform', [EventFlip(1.0, 'polarity'), EventDrop(), EventJitter()], ids=repr)
def test_what_moves_nothing_takes_boxes(transform):
    assert len(transform({'events': FEW, 'sensor_size': SIZE, 'gt_bboxes': np.zeros((1, 4))})['events'])


@pytest.mark.parametrize(('make', 'message'), [
    (lambda: EventFlip(1.5), r'`prob` must be in \[0, 1\], but got 1\.5'),
    (lambda: EventFlip(0.5, 'diagonal'), "`direction` must be one of .* but got 'diagonal'"),
    (lambda: EventCrop((1, 2, 3)), '`crop_size` must be one or two positive integers'),
    (lambda: EventCrop(0), '`crop_size` must be one or two positive integers, but got 0'),
    (lambda: EventCrop(3, 'left'), "`place` must be 'random' or 'center', but got 'left'"),
    (lambda: EventDrop(-0.1), '`prob` must be'),
    (lambda: EventDrop(strategies=dict(space=(0, 1))), "`strategies` must be of .* but got .*'space'"),
    (lambda: EventDrop(strategies={}), '`strategies` must be of'),
    (lambda: EventDrop(strategies=dict(time=(0.5, 0.1))), r"\(0\.5, 0\.1\) for 'time'"),
    (lambda: EventJitter(-1), '`std_space` must be at least 0, but got -1'),
    (lambda: EventJitter(1, float('nan')), '`std_time` must be at least 0, but got nan'),
    (lambda: EventJitter(0), 'must be positive, but got 0 and 0'),
    (lambda: EventRoll(0), '`max_shift` must be a positive integer, but got 0'),
    (lambda: run(EventCrop(4)), r'fit into the sensor of \(3, 4\)'),
])
def test_bad_arguments_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
