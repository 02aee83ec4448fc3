"""When a vehicle was where between two fixes."""

from __future__ import annotations

import numpy as np

STEEPEST = 3.0  # a cubic with end slopes up to 3 times the mean never turns back
HALVINGS = 30  # of the search for a time: exact to a billionth of the time between two fixes


def _slopes(start_slope: np.ndarray, end_slope: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    a = np.clip(np.nan_to_num(start_slope, nan=1.0), 0, STEEPEST)
    b = np.clip(np.nan_to_num(end_slope, nan=1.0), 0, STEEPEST)
    return a, b


def share_of_way(
    share_of_time: np.ndarray, start_slope: np.ndarray, end_slope: np.ndarray
) -> np.ndarray:
    """Return the share of the way that is done when a share of the time has passed.

    The way between two fixes is taken as the cubic that has the vehicle's reported speeds at both
    ends (Hermite), its slopes limited so that it never turns back (Fritsch and Carlson 1980,
    "Monotone piecewise cubic interpolation"): who brakes for a queue has the waiting at the end
    of the way, not spread over it.

    Args:
        share_of_time: ``[M]`` in 0-1.
        start_slope: ``[M]`` speed at the first fix over the mean speed between the two; NaN where
            it is not known, which counts as 1.
        end_slope: the same at the second fix.

    Returns:
        ``[M]`` in 0-1, rising with ``share_of_time``; equal to it when both slopes are 1.
    """
    return _cubic(share_of_time, *_slopes(start_slope, end_slope))


def share_of_time(way: np.ndarray, start_slope: np.ndarray, end_slope: np.ndarray) -> np.ndarray:
    """Return the share of the time that has passed when a share of the way is done.

    The inverse of :func:`share_of_way`, found by halving.

    Args:
        way: ``[M]`` share of the way, in 0-1.
        start_slope: as in :func:`share_of_way`.
        end_slope: the same at the second fix.

    Returns:
        ``[M]`` in 0-1, rising with ``way``.
    """
    a, b = _slopes(start_slope, end_slope)
    # Both ends are exact, whatever a search would come to; most pieces begin or end there.
    inside = np.flatnonzero((way > 0) & (way < 1))
    wanted, a, b = way[inside], a[inside], b[inside]
    low, high = np.zeros(len(inside)), np.ones(len(inside))
    for _ in range(HALVINGS):
        time = (low + high) / 2
        before = _cubic(time, a, b) < wanted
        low = np.where(before, time, low)
        high = np.where(before, high, time)
    share = np.where(way >= 1, 1.0, 0.0)
    share[inside] = (low + high) / 2
    return share


def _cubic(time: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.asarray(time * (a + time * (3 - 2 * a - b + time * (a + b - 2))))
