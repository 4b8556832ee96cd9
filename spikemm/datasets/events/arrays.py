"""Events in memory: one structured array, 16 bytes an event."""

import numpy as np

EVENT_DTYPE = np.dtype({
    'names': ['t', 'x', 'y', 'p'],
    'formats': ['<i8', '<u2', '<u2', 'u1'],
    'offsets': [0, 8, 10, 12],
    'itemsize': 16,
})
"""``t`` in us as the file has it, ``x`` the column, ``y`` the row (0 at the top), ``p`` 0 for OFF and 1 for ON."""


def make_events(t: np.ndarray, x: np.ndarray, y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Build an event array of columns, which it neither sorts nor checks.

    Args:
        t: Time stamps in us, shape ``[N]``.
        x: Columns, shape ``[N]``.
        y: Rows, shape ``[N]``.
        p: Polarities, 0 or 1, shape ``[N]``.

    Returns:
        Array of dtype ``EVENT_DTYPE``, shape ``[N]``.
    """
    events = np.zeros(len(t), EVENT_DTYPE)  # zeros, not empty: the three bytes of padding are then always the same
    for name, column in zip('txyp', (t, x, y, p), strict=True):
        events[name] = column
    return events
