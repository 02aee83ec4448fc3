"""Which segment leads straight into which."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from pyproj import Geod

if TYPE_CHECKING:
    import geopandas as gpd


def links_at_nodes(segments: gpd.GeoDataFrame, max_turn_deg: float) -> pd.DataFrame:
    """Link each segment to those that begin where it ends, U-turns left out.

    Args:
        segments: columns of ``schema.SEGMENTS`` with geometry in WGS84.
        max_turn_deg: a sharper turn makes no link, unless it is the only way out of a dead end.

    Returns:
        The columns of ``schema.LINKS``; every weight is 1.
    """
    first, last = end_bearings_deg(segments)
    ends = pd.DataFrame(
        {"from_segment": segments["segment_id"], "node": segments["to_node"], "in": last}
    )
    starts = pd.DataFrame(
        {"to_segment": segments["segment_id"], "node": segments["from_node"], "out": first}
    )
    pairs = ends.merge(starts, on="node")
    pairs = pairs[pairs["from_segment"] != pairs["to_segment"]]
    turn = (pairs["out"] - pairs["in"] + 180) % 360 - 180
    pairs = pairs.assign(turn_angle_deg=turn, weight=1.0)
    ways_out = pairs.groupby("from_segment")["to_segment"].transform("size")
    allowed = (pairs["turn_angle_deg"].abs() <= max_turn_deg) | (ways_out == 1)
    return pairs.loc[allowed, ["from_segment", "to_segment", "turn_angle_deg", "weight"]]


def end_bearings_deg(segments: gpd.GeoDataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return the bearing of each line's first and of its last piece, degrees from north."""
    coordinates = [np.asarray(line.coords) for line in segments.geometry]
    heads = np.array([np.concatenate([line[0, :2], line[1, :2]]) for line in coordinates])
    tails = np.array([np.concatenate([line[-2, :2], line[-1, :2]]) for line in coordinates])
    geodesic = Geod(ellps="WGS84")
    first, _, _ = geodesic.inv(*heads.T)
    last, _, _ = geodesic.inv(*tails.T)
    return np.asarray(first), np.asarray(last)
