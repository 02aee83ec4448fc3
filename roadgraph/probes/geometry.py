"""The course of every segment, for questions about many fixes at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import shapely
from pyproj import Transformer

from roadgraph.errors import DataError
from roadgraph.network.network import WGS84

if TYPE_CHECKING:
    from roadgraph.network.network import Network


class SegmentGeometry:
    """Lines of the ``N`` segments on a metric plane, and their bearings on the ground.

    Attributes:
        lines: ``[N]`` shapely lines in metres.
        line_lengths_m: ``[N]`` lengths of the lines on that plane, in metres.
        ground_scale: ``[N]`` metres of the table ``segments`` to a metre on the plane.

    Raises:
        DataError: the network has no geometry.
    """

    def __init__(self, network: Network) -> None:
        if not network.has_geometry:
            raise DataError("GPS fixes cannot be matched: the network has no geometry")
        metric = network.segments.estimate_utm_crs()
        self._to_metres = Transformer.from_crs(WGS84, metric, always_xy=True)
        self.lines = np.asarray(shapely.force_2d(network.segments.geometry.to_crs(metric).values))
        self.line_lengths_m = shapely.length(self.lines)
        self.ground_scale = (
            network.segments["length_m"].to_numpy(dtype=np.float64) / self.line_lengths_m
        )
        points, owner = shapely.get_coordinates(self.lines, return_index=True)
        inside = np.diff(owner) == 0
        steps = np.diff(points, axis=0)[inside]
        piece_owner = owner[:-1][inside]
        lengths = np.hypot(*steps.T)
        along = np.cumsum(lengths) - lengths
        first = np.searchsorted(piece_owner, np.arange(len(self.lines)))
        # Segments are laid one behind the other, with room between, so that one search finds
        # the piece of a line for many fixes.
        self._room_m = float(self.line_lengths_m.max()) + 1.0
        self._piece_begin = piece_owner * self._room_m + along - along[first][piece_owner]
        self._bearings_deg = np.degrees(np.arctan2(*steps.T)) % 360

    def to_metres(self, lat: np.ndarray, lon: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the places ``[M]`` on the plane of the lines."""
        x, y = self._to_metres.transform(lon, lat)
        return np.asarray(x), np.asarray(y)

    def bearings_deg(self, segment: np.ndarray, offset_m: np.ndarray) -> np.ndarray:
        """Return the driving direction ``[M]`` at an offset along the line, degrees from north."""
        along = np.clip(offset_m, 0.0, self.line_lengths_m[segment])
        laid = segment * self._room_m + along
        return np.asarray(
            self._bearings_deg[np.searchsorted(self._piece_begin, laid, side="right") - 1]
        )

    def nearest(
        self,
        lat: np.ndarray,
        lon: np.ndarray,
        heading_deg: np.ndarray,
        radius_m: float,
        gps_error_m: float,
        heading_error_deg: float,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Find each fix's nearest segment that leads where the vehicle is heading.

        The segment with the smallest ``(distance / gps_error)^2 + (turn / heading_error)^2``, the
        first in the network's order among equals; without a heading, by the distance alone.

        Args:
            lat: ``[M]`` degrees.
            lon: ``[M]`` degrees.
            heading_deg: ``[M]`` NaN where not known.
            radius_m: segments farther away are not looked at.
            gps_error_m: standard deviation of a fix.
            heading_error_deg: standard deviation of a heading.

        Returns:
            ``[M]`` place of the segment or -1, distance in metres, and turn in degrees between
            heading and road (both NaN where there is no segment; the turn also without heading).
        """
        points = shapely.points(*self.to_metres(lat, lon))
        tree = shapely.STRtree(self.lines)
        fix, segment = tree.query(points, predicate="dwithin", distance=radius_m)
        away_m = shapely.distance(points[fix], self.lines[segment])
        offset_m = shapely.line_locate_point(self.lines[segment], points[fix])
        turn_deg = turn_between_deg(heading_deg[fix], self.bearings_deg(segment, offset_m))
        cost = (away_m / gps_error_m) ** 2 + (
            np.nan_to_num(turn_deg, nan=0.0) / heading_error_deg
        ) ** 2
        order = np.lexsort((segment, cost, fix))
        best = order[np.append(True, np.diff(fix[order]) != 0)] if len(order) else order
        found = np.full(len(points), -1, dtype=np.int64)
        distance, turn = np.full(len(points), np.nan), np.full(len(points), np.nan)
        found[fix[best]] = segment[best]
        distance[fix[best]] = away_m[best]
        turn[fix[best]] = turn_deg[best]
        return found, distance, turn


def turn_between_deg(a_deg: np.ndarray, b_deg: np.ndarray) -> np.ndarray:
    """Return the smaller angle between two bearings, 0 to 180 degrees; NaN stays NaN."""
    return np.asarray(np.abs((a_deg - b_deg + 180) % 360 - 180))
