"""An event camera, simulated: what it would record of a film."""

import numba
import numpy as np

from spikemm.datasets.events import make_events

THRESHOLD = 0.25  # mean change of log intensity that makes an event
MISMATCH = 0.03  # standard deviation of the threshold between pixels, as of a DVS
MIN_THRESHOLD = 0.05
NOISE_RATE = 1.0  # events without cause a pixel and second
DARK = 10.0  # luma added before the logarithm, so that black is not minus infinity


def record(film: np.ndarray, times: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the events of a film, by the usual model of an event camera.

    Every pixel remembers the log intensity of its last event and makes an event, ON or OFF, whenever the log intensity
    has moved from there by its threshold. Thresholds differ from pixel to pixel (fixed-pattern mismatch), between the
    images the log intensity is interpolated linearly, and events without cause are added (a Poisson process). The model
    is that of `ESIM: an Open Event Camera Simulator <https://proceedings.mlr.press/v87/rebecq18a.html>`_ (Rebecq et
    al., 2018) with the noise of `v2e <https://arxiv.org/abs/2006.07722>`_ (Hu et al., 2021).

    Args:
        film: Luma of the images, 0 to 255, ``[S, H, W]``.
        times: When each image is shown, in us, increasing, ``[S]``.
        rng: Decides thresholds and noise.

    Returns:
        Structured array of :data:`~spikemm.datasets.events.EVENT_DTYPE`, sorted by time.
    """
    height, width = film.shape[1:]
    log = np.log(film.astype(np.float64) + DARK)
    thresholds = np.maximum(rng.normal(THRESHOLD, MISMATCH, (2, height, width)), MIN_THRESHOLD)
    crossings = np.abs(np.diff(log, axis=0)).sum(0) / thresholds.min(0)
    t, x, y, p = (np.empty(int(np.ceil(crossings).sum()), np.int64) for _ in range(4))
    count = _cross(log, times.astype(np.float64), thresholds, t, x, y, p)
    noise = draw_noise(height, width, times, rng)
    columns = (np.concatenate([column[:count], extra]) for column, extra in zip((t, x, y, p), noise, strict=True))
    events = make_events(*columns)
    return events[np.argsort(events['t'], kind='stable')]


def draw_noise(height: int, width: int, times: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Return columns t, x, y and p of events without cause."""
    seconds = (times[-1] - times[0]) / 1e6
    count = rng.poisson(NOISE_RATE * seconds * height * width)
    return (rng.integers(times[0], times[-1], count), rng.integers(width, size=count), rng.integers(height, size=count),
            rng.integers(2, size=count))


@numba.njit(cache=True)
def _cross(log, times, thresholds, t, x, y, p):
    """Fill the columns with the events of every pixel; return their number."""
    count = 0
    for row in range(log.shape[1]):
        for column in range(log.shape[2]):
            reference = log[0, row, column]
            for step in range(1, len(times)):
                before, after = log[step - 1, row, column], log[step, row, column]
                on = after > before
                threshold = thresholds[1 if on else 0, row, column]
                while (after - reference if on else reference - after) >= threshold:
                    reference += threshold if on else -threshold
                    share = (reference - before) / (after - before)
                    t[count] = np.int64(times[step - 1] + share * (times[step] - times[step - 1]))
                    x[count], y[count], p[count] = column, row, on
                    count += 1
    return count


