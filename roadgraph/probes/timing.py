"""When a vehicle was where between two fixes."""

from __future__ import annotations

import numpy as np

STEEPEST = 3.0  # a cubic with end slopes up to 3 times the mean never turns back
HALVINGS = 30  # of the search for a time: exact to a billionth of the time between two fixes


def share_of_time(
    share_of_way: np.ndarray, start_slope: np.ndarray, end_slope: np.ndarray
) -> np.ndarray:
    """Return the share of the time that has passed when a share of the way is done.

    The way between two fixes is taken as the cubic that has the vehicle's reported speeds at both
    ends (Hermite), its slopes limited so that it never turns back (Fritsch and Carlson 1980,
    "Monotone piecewise cubic interpolation"): who brakes for a queue has the waiting at the end
    of the way, not spread over it.

    Args:
        share_of_way: ``[M]`` in 0-1.
        start_slope: ``[M]`` speed at the first fix over the mean speed between the two; NaN where
            it is not known, which counts as 1.
        end_slope: the same at the second fix.

    Returns:
        ``[M]`` in 0-1, rising with ``share_of_way``; equal to it when both slopes are 1.
    """
    a = np.clip(np.nan_to_num(start_slope, nan=1.0), 0, STEEPEST)
    b = np.clip(np.nan_to_num(end_slope, nan=1.0), 0, STEEPEST)
    low = np.zeros_like(share_of_way)
    high = np.ones_like(share_of_way)
    for _ in range(HALVINGS):
        time = (low + high) / 2
        way = time * (a + time * (3 - 2 * a - b + time * (a + b - 2)))
        before = way < share_of_way
        low = np.where(before, time, low)
        high = np.where(before, high, time)
    # Both ends are exact, whatever the search came to.
    return np.where(share_of_way <= 0, 0.0, np.where(share_of_way >= 1, 1.0, (low + high) / 2))
