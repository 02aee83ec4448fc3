"""The roads of a network as the lines that the map page draws."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import shapely

from roadgraph.network.network import WGS84
from roadgraph.report.map_page.packing import joined, quantised

if TYPE_CHECKING:
    from roadgraph.network.network import Network

GRID = 2.0**-20
"""Degrees, at most 0.11 m: places of points are whole multiples of it.

A power of two leaves zeros at the end of the numbers, which compress well."""
LENGTH_STEP_M = 0.125  # a power of two for the same reason
KPH_STEP = 1.0  # limits and free flow are whole numbers, or nearly


def line_arrays(network: Network, origin: tuple[float, float], tolerance_m: float) -> dict:
    """Return ``line_start [N+1]`` and ``points [P, 2]`` of the network's lines.

    Args:
        network: with geometry.
        origin: longitude and latitude that the points are counted from.
        tolerance_m: no point that is left out lies farther than this from the simplified line.

    Returns:
        The two arrays by name: where each line's points begin, and degrees from ``origin`` east and
        north in driving direction.
    """
    segments = network.segments
    flat = segments.geometry.set_crs(WGS84, allow_override=True).to_crs(segments.estimate_utm_crs())
    simpler = flat.simplify(tolerance_m, preserve_topology=False).to_crs(WGS84)
    degrees, line = shapely.get_coordinates(simpler.to_numpy(), return_index=True)
    start = np.searchsorted(line, np.arange(len(segments) + 1))
    points = np.rint((degrees - np.array(origin)) / GRID) * GRID
    return {"line_start": start.astype(np.uint32), "points": points.astype(np.float32)}


def origin_of(network: Network) -> tuple[float, float]:
    """Return the middle of the network on the grid of the points: longitude and latitude."""
    west, south, east, north = bounds_of(network)
    lon, lat = np.rint(np.array([west + east, south + north]) / 2 / GRID) * GRID
    return float(lon), float(lat)


def bounds_of(network: Network) -> tuple[float, float, float, float]:
    """Return west, south, east and north of the network in degrees."""
    west, south, east, north = map(float, network.segments.total_bounds)
    return west, south, east, north


def road_arrays(network: Network) -> tuple[dict[str, np.ndarray], list[str]]:
    """Return what does not change of each segment, and the classes of roads that there are.

    Returns:
        ``length_m``, ``road_class``, ``limit_kph`` ``[N]``, ``ids_text`` and
        ``names_text``; the classes' names, in whose order ``road_class`` counts.
    """
    segments = network.segments
    place, classes = pd.factorize(segments["road_class"].fillna("").astype(str), sort=True)
    length_m = np.rint(segments["length_m"].to_numpy(np.float64) / LENGTH_STEP_M) * LENGTH_STEP_M
    names = segments["name"] if "name" in segments.columns else pd.Series([""] * len(segments))
    arrays = {
        "length_m": length_m.astype(np.float32),
        "road_class": place.astype(np.min_scalar_type(len(classes))),
        "limit_kph": quantised(segments["speed_limit_kph"].to_numpy(np.float64), KPH_STEP),
        "ids_text": joined(network.segment_ids),
        "names_text": joined(names.astype(object).where(names.notna(), "").tolist()),
    }
    return arrays, list(classes)
