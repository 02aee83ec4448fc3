"""Fixes along whole trips onto the segments that were driven (hidden Markov, fastmm)."""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import fastmm
import numpy as np
from pyproj import Transformer

from roadgraph.errors import DataError
from roadgraph.network.network import WGS84

if TYPE_CHECKING:
    from collections.abc import Iterator

    from roadgraph.network.network import Network
    from roadgraph.settings import ProbesSettings

NOWHERE = -1
"""Stands for the segment of a fix that was not matched."""


@dataclass(frozen=True)
class Matches:
    """Where ``M`` fixes were, and the ways between them.

    A way leads from a matched fix to the next fix of its trip; it passes the segments
    ``way_segment[way_begin[w]:way_begin[w + 1]]``, the first that of the one fix, the last that of
    the other.

    Attributes:
        segment: ``[M]`` place in the network's order, or ``NOWHERE``.
        offset_m: ``[M]`` from the segment's begin along the road; NaN where not matched.
        away_m: ``[M]`` from the fix to the road; NaN where not matched.
        way_from: ``[W]`` place of the fix at which the way begins.
        way_to: ``[W]`` place of the fix at which it ends.
        way_begin: ``[W + 1]`` places in ``way_segment``.
        way_segment: ``[P]``.
    """

    segment: np.ndarray
    offset_m: np.ndarray
    away_m: np.ndarray
    way_from: np.ndarray
    way_to: np.ndarray
    way_begin: np.ndarray
    way_segment: np.ndarray


class TripMatcher:
    """A road network prepared for matching trips.

    The way between two fixes is the most probable one by their distances from the roads and by the
    detour between them (Newson and Krumm 2009, "Hidden Markov map matching through noise and
    sparseness"; the table of routes as in Yang and Gidofalvi 2018, "Fast map matching").

    Raises:
        DataError: the network has no geometry.
    """

    def __init__(self, network: Network, settings: ProbesSettings) -> None:
        if not network.has_geometry:
            raise DataError("GPS fixes cannot be matched: the network has no geometry")
        self._settings = settings
        metric = network.segments.estimate_utm_crs()
        self._to_metres = Transformer.from_crs(WGS84, metric, always_xy=True)
        lines = network.segments.geometry.to_crs(metric)
        nodes: dict[str, int] = {}
        ends = zip(network.segments["from_node"], network.segments["to_node"], strict=True)
        with _quiet_stdout():
            # fastmm reads the network as long as it matches, but does not keep it alive.
            self._roads = roads = fastmm.Network()
            for place, ((start, end), line) in enumerate(zip(ends, lines, strict=True)):
                roads.add_edge(
                    place,
                    source=nodes.setdefault(start, len(nodes)),
                    target=nodes.setdefault(end, len(nodes)),
                    geom=[point[:2] for point in line.coords],
                )
            roads.finalize()
            # fastmm caches its table of routes by a hash that leaves the geometry out, so a
            # cache that outlives this object could belong to another map.
            with tempfile.TemporaryDirectory(prefix="roadgraph-routes-") as cache:
                self._fastmm = fastmm.FastMapMatch(
                    roads,
                    fastmm.TransitionMode.SHORTEST,
                    max_distance_between_candidates=settings.max_route_m,
                    cache_dir=cache,
                )

    def match(self, lat: np.ndarray, lon: np.ndarray, begins: np.ndarray) -> Matches:
        """Match trips.

        Args:
            lat: ``[M]`` degrees, the fixes of one trip behind those of the other.
            lon: ``[M]`` degrees.
            begins: ``[M]`` whether a trip begins at the fix; a trip of one fix is not matched.
        """
        x, y = self._to_metres.transform(lon, lat)
        points = list(zip(x.tolist(), y.tolist(), strict=True))
        bounds = np.append(np.flatnonzero(begins), len(points)).tolist()
        found = _Found()
        with _quiet_stdout():
            for first, after in pairwise(bounds):
                if after - first > 1:
                    self._match_trip(first, points[first:after], found)
        return found.matches(len(points))

    def _match_trip(self, first: int, points: list[tuple[float, float]], found: _Found) -> None:
        settings = self._settings
        result = self._fastmm.match(
            fastmm.Trajectory.from_xy_tuples(points),
            max_candidates=settings.max_candidates,
            candidate_search_radius=settings.search_radius_m,
            gps_error=settings.gps_error_m,
            reverse_tolerance=settings.reverse_tolerance_m,
        )
        # Every attribute is a call into C++, so each is read once.
        for part in result.subtrajectories:
            steps = part.segments
            if not steps:
                continue
            for step in steps:
                start = step.p0
                found.fix.append(first + start.trajectory_index)
                found.offset_m.append(start.offset_from_start_of_edge)
                found.away_m.append(start.perpendicular_distance_to_matched_geometry)
                way = [edge.edge_id for edge in step.edges]
                found.way.extend(way)
                found.passed.append(len(way))
            end = step.p1
            found.fix.append(first + end.trajectory_index)
            found.offset_m.append(end.offset_from_start_of_edge)
            found.away_m.append(end.perpendicular_distance_to_matched_geometry)
            # The last fix of a part stands where its last way ended.
            found.way.append(way[-1])
            found.passed.append(0)


class _Found:
    """What was read from fastmm, fix by fix; ``passed`` segments of a way, 0 at a part's end."""

    def __init__(self) -> None:
        self.fix: list[int] = []
        self.offset_m: list[float] = []
        self.away_m: list[float] = []
        self.passed: list[int] = []
        self.way: list[int] = []

    def matches(self, count: int) -> Matches:
        fix = np.array(self.fix, dtype=np.int64)
        passed = np.array(self.passed, dtype=np.int64)
        way = np.array(self.way, dtype=np.int64)
        ends = np.cumsum(np.maximum(passed, 1))  # a part's end holds one entry too
        begins = ends - np.maximum(passed, 1)
        segment = np.full(count, NOWHERE, dtype=np.int64)
        offset_m = np.full(count, np.nan)
        away_m = np.full(count, np.nan)
        segment[fix] = way[begins]
        offset_m[fix] = self.offset_m
        away_m[fix] = self.away_m
        goes_on = np.flatnonzero(passed > 0)
        kept = np.ones(len(way), dtype=bool)
        kept[begins[passed == 0]] = False
        return Matches(
            segment,
            offset_m,
            away_m,
            way_from=fix[goes_on],
            way_to=fix[goes_on + 1],
            way_begin=np.append(0, np.cumsum(passed[goes_on])),
            way_segment=way[kept],
        )


@contextmanager
def _quiet_stdout() -> Iterator[None]:
    """Keep fastmm's log, which goes to the process's standard output, from the user's screen."""
    sys.stdout.flush()
    kept = os.dup(1)
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123 - a device, not a path of ours
        os.dup2(nowhere.fileno(), 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
