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
import polars as pl
from pyproj import Transformer

from roadgraph.errors import DataError
from roadgraph.network.network import WGS84
from roadgraph.probes.timing import share_of_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from roadgraph.network.network import Network
    from roadgraph.settings import ProbesSettings

TRIPS_A_BLOCK = 200

_Step = tuple[int, int, int, int, float, float, float, float]


@dataclass(frozen=True)
class MatchedSteps:
    """What lies between each pair of fixes, one row a segment passed on the way.

    Attributes:
        steps: ``vehicle_id``, ``trip``, ``part`` (a stretch of the trip matched in one go),
            ``segment`` (place in the network's order), ``entered_s`` and ``left_s`` (seconds since
            1970), ``distance_m`` (negative when a fix fell back), ``deviation_m`` (mean distance
            of the two fixes from the road); in the order of driving.
        refused: counts of the fixes that are in no step: ``lone_fix`` (a trip of one fix),
            ``unmatched`` (no road near it, or no way to it).
    """

    steps: pl.DataFrame
    refused: dict[str, int]


class Matcher:
    """A road network prepared for matching.

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

    def match(
        self, fixes: pl.DataFrame, progress: Callable[[float], None] = lambda share: None
    ) -> MatchedSteps:
        """Match cleaned fixes, sorted by vehicle and time.

        Args:
            fixes: the columns of ``schema.FIXES``.
            progress: called with the share that is done, 0 to 1.
        """
        gap_s = pl.col("timestamp").diff().dt.total_microseconds() / 1e6
        new_trip = (pl.col("vehicle_id") != pl.col("vehicle_id").shift(1)) | (
            gap_s > self._settings.max_gap_s
        )
        trips = new_trip.fill_null(True).cum_sum()
        numbered = fixes.with_columns(trips.alias("trip"))
        x, y = self._to_metres.transform(fixes["lon"].to_numpy(), fixes["lat"].to_numpy())
        bounds = np.flatnonzero(np.diff(numbered["trip"].to_numpy(), prepend=0, append=-1))
        spans = list(pairwise(bounds.tolist())) if len(fixes) else []
        rows: list[_Step] = []
        used = lone = 0
        for block in range(0, len(spans), TRIPS_A_BLOCK):
            with _quiet_stdout():
                for first, after in spans[block : block + TRIPS_A_BLOCK]:
                    if after - first == 1:
                        lone += 1
                        continue
                    points = np.stack([x[first:after], y[first:after]], axis=1)
                    used += self._match_trip(first, points, rows)
            progress(min(block + TRIPS_A_BLOCK, len(spans)) / len(spans))
        steps = _timed(rows, numbered)
        refused = {"lone_fix": lone, "unmatched": len(fixes) - lone - used}
        return MatchedSteps(steps, {rule: count for rule, count in refused.items() if count})

    def _match_trip(self, first: int, points: np.ndarray, rows: list[_Step]) -> int:
        """Append the steps of one trip to ``rows`` and return how many fixes they rest on."""
        result = self._fastmm.match(
            fastmm.Trajectory.from_xy_tuples(points.tolist()),
            max_candidates=self._settings.max_candidates,
            candidate_search_radius=self._settings.search_radius_m,
            gps_error=self._settings.gps_error_m,
            reverse_tolerance=self._settings.reverse_tolerance_m,
        )
        used = 0
        for part in result.subtrajectories:
            if not part.segments:
                continue
            used += part.end_index - part.start_index + 1
            for step in part.segments:
                deviation_m = (
                    step.p0.perpendicular_distance_to_matched_geometry
                    + step.p1.perpendicular_distance_to_matched_geometry
                ) / 2
                begin_m = step.edges[0].points[0].cumulative_distance
                for edge in step.edges:
                    rows.append(
                        (
                            first + step.p0.trajectory_index,
                            first + step.p1.trajectory_index,
                            part.start_index,
                            edge.edge_id,
                            edge.points[0].cumulative_distance - begin_m,
                            edge.points[-1].cumulative_distance - begin_m,
                            -1.0 if edge.reversed else 1.0,
                            deviation_m,
                        )
                    )
        return used


def _timed(rows: list[_Step], fixes: pl.DataFrame) -> pl.DataFrame:
    """Return the steps with the times at which their segments were entered and left.

    Args:
        rows: places of the two fixes, part, segment, metres from the first fix to the segment's
            begin and end, direction (-1 backwards), deviation.
        fixes: what the places of the fixes refer to, with ``trip``.
    """
    columns = ("fix", "next_fix", "part", "segment", "begin_m", "end_m", "direction", "deviation_m")
    kinds = [pl.Int64] * 4 + [pl.Float64] * 4
    steps = pl.DataFrame(rows, schema=dict(zip(columns, kinds, strict=True)), orient="row")
    first, last = steps["fix"].to_numpy(), steps["next_fix"].to_numpy()
    seconds = fixes["timestamp"].dt.epoch("us").to_numpy() / 1e6
    speed_mps = fixes["speed_kph"].to_numpy() / 3.6
    started, lasting = seconds[first], seconds[last] - seconds[first]
    way_m = steps.select(pl.col("end_m").max().over("fix")).to_series().to_numpy()
    # A vehicle that stands has no way to share out; any slope will do.
    mean_mps = np.maximum(way_m, 1e-9) / lasting
    slopes = speed_mps[first] / mean_mps, speed_mps[last] / mean_mps
    times = {
        name: started
        + lasting * share_of_time(steps[f"{end}_m"].to_numpy() / np.maximum(way_m, 1e-9), *slopes)
        for name, end in (("entered_s", "begin"), ("left_s", "end"))
    }
    # All of the time counts, also that of a vehicle which did not move.
    stood = way_m <= 0
    times["left_s"] = np.where(stood, started + lasting, times["left_s"])
    places = pl.Series("fix", first)
    return steps.select(
        fixes["vehicle_id"].gather(places),
        fixes["trip"].gather(places),
        "part",
        "segment",
        pl.Series("entered_s", times["entered_s"]),
        pl.Series("left_s", times["left_s"]),
        ((pl.col("end_m") - pl.col("begin_m")) * pl.col("direction")).alias("distance_m"),
        "deviation_m",
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
