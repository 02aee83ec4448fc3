"""Distances on the ground between places in degrees."""

from __future__ import annotations

import numpy as np

EARTH_RADIUS_M = 6_371_008.8  # mean radius, IUGG
METRES_PER_DEGREE = EARTH_RADIUS_M * np.pi / 180  # of latitude


def distance_m(
    lat_a: np.ndarray, lon_a: np.ndarray, lat_b: np.ndarray, lon_b: np.ndarray
) -> np.ndarray:
    """Return the distances ``[M]`` between places in degrees, in metres.

    On the plane that touches the earth between the two (equirectangular): exact to a thousandth
    for the distances between two fixes of a trip, and several times as fast as the haversine.
    """
    north = (lat_b - lat_a) * METRES_PER_DEGREE
    east = (lon_b - lon_a) * METRES_PER_DEGREE * np.cos(np.radians((lat_a + lat_b) / 2))
    return np.asarray(np.hypot(north, east))
