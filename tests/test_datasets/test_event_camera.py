import numpy as np
import pytest

from spikemm.datasets.digit_scenes import event_camera
from spikemm.datasets.digit_scenes.event_camera import DARK, record


@pytest.fixture
def ideal(monkeypatch):
    """A camera without noise and with the same threshold everywhere."""
    monkeypatch.setattr(event_camera, 'MISMATCH', 0.0)
    monkeypatch.setattr(event_camera, 'NOISE_RATE', 0.0)


def luma(log):
    return np.exp(log) - DARK


def see(*logs, times=(0, 1000)):
    """Record one pixel of a sensor of 2 x 3 that has these log intensities above those of the others."""
    film = np.full((len(logs), 2, 3), luma(4.0))
    film[:, 1, 2] = [luma(4.0 + log) for log in logs]
    return record(film, np.array(times), np.random.default_rng(0))


def find_thresholds(log):
    """Change of log intensity at the first event of every pixel of a sensor of 50 x 50 that goes from 4 to this."""
    film = np.stack([np.full((50, 50), luma(4.0)), np.full((50, 50), luma(log))])
    events = record(film, np.array([0, 1_000_000]), np.random.default_rng(0))
    thresholds = np.full((50, 50), np.inf)
    np.minimum.at(thresholds, (events['y'], events['x']), events['t'] / 1e6 * abs(log - 4.0))
    return thresholds


def test_a_pixel_fires_once_for_each_threshold_that_its_log_intensity_crosses(ideal):
    events = see(0.0, 0.6)  # thresholds of 0.25
    assert events[['x', 'y', 'p']].tolist() == [(2, 1, 1)] * 2
    assert events['t'].tolist() == [416, 833]  # 0.25 / 0.6 and 0.5 / 0.6 of a millisecond


def test_a_darker_pixel_fires_off(ideal):
    assert see(0.0, -0.3)['p'].tolist() == [0]


def test_a_pixel_remembers_where_it_fired_last(ideal):
    events = see(0.0, 0.2, 0.3, 0.2, -0.01, times=(0, 1000, 2000, 3000, 4000))
    assert events['p'].tolist() == [1, 0]  # up past 0.25, and down past 0 again
    assert events['t'].tolist() == [1500, 3952]


def test_a_still_scene_makes_no_event_but_noise(monkeypatch):
    monkeypatch.setattr(event_camera, 'NOISE_RATE', 100.0)
    film = np.full((2, 30, 40), 90.0)
    events = record(film, np.array([0, 500_000]), np.random.default_rng(0))
    assert len(events) == pytest.approx(100 * 0.5 * 30 * 40, rel=0.02)
    assert 0.48 < events['p'].mean() < 0.52
    assert (np.diff(events['t']) >= 0).all() and events['t'][0] >= 0 and events['t'][-1] < 500_000
    assert set(events['x']) == set(range(40)) and set(events['y']) == set(range(30))


def test_thresholds_differ_between_pixels_by_their_mismatch(monkeypatch):
    monkeypatch.setattr(event_camera, 'NOISE_RATE', 0.0)
    thresholds = find_thresholds(4.4)
    assert thresholds.mean() == pytest.approx(event_camera.THRESHOLD, abs=0.005)
    for axis in (0, 1):  # neither a row nor a column has one for all of it
        assert thresholds.std(axis).mean() == pytest.approx(event_camera.MISMATCH, rel=0.15)


def test_thresholds_of_on_and_off_differ_in_a_pixel(monkeypatch):
    monkeypatch.setattr(event_camera, 'NOISE_RATE', 0.0)
    on, off = find_thresholds(4.4), find_thresholds(3.6)
    assert off.std() == pytest.approx(event_camera.MISMATCH, rel=0.1)
    assert abs(np.corrcoef(on.ravel(), off.ravel())[0, 1]) < 0.1
