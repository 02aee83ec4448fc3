"""From matched fixes to traversals: how fast each vehicle drove on each segment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from roadgraph.probes.geometry import turn_between_deg
from roadgraph.probes.timing import share_of_time, share_of_way
from roadgraph.schema import TRAVERSALS

if TYPE_CHECKING:
    from roadgraph.probes.geometry import SegmentGeometry
    from roadgraph.probes.matching import Matches
    from roadgraph.settings import ProbesSettings

SHORTEST_STAY_S = 0.5  # a shorter touch of a segment's end measures no speed
MOVING_KPH = 8.0  # below it the heading of a receiver means nothing
USUAL_SHARE_OF_LIMIT = 0.75  # who is faster over a whole segment is rather badly timed
SPOT_S = 1.0  # a fix without neighbours saw one moment
SPOT_CONFIDENCE = 0.5  # nothing beside it says that the fix is right


@dataclass(frozen=True)
class Pieces:
    """What was driven of one segment in one slice on the way between two fixes; arrays ``[P]``.

    Attributes:
        fix: place of the fix at which the way begins.
        joins: whether the way goes on from the one before, so that their pieces belong together.
        segment: place of the segment in the network's order.
        entered_s: seconds since 1970.
        left_s: seconds since 1970.
        distance_m: along the road; negative where a fix fell back.
        confidence: of the way, 0-1.
    """

    fix: np.ndarray
    joins: np.ndarray
    segment: np.ndarray
    entered_s: np.ndarray
    left_s: np.ndarray
    distance_m: np.ndarray
    confidence: np.ndarray


def pieces_of_ways(
    fixes: pl.DataFrame,
    matches: Matches,
    geometry: SegmentGeometry,
    slice_minutes: int,
    settings: ProbesSettings,
) -> Pieces:
    """Share the time between two fixes out over the segments that were passed.

    A piece that lasts over the end of a slice is cut there: what a vehicle did later must not
    reach a slice that was already complete. A way that needs more than ``max_speed_kph`` is no
    way and gives no piece.

    Args:
        fixes: ``[M]`` the matched fixes, sorted by vehicle and time.
        matches: where they were.
        geometry: gives lengths and bearings.
        slice_minutes: length of a slice in minutes.
        settings: ``gps_error_m`` and ``max_speed_kph`` are used.
    """
    time_s = fixes["timestamp"].dt.epoch("us").to_numpy() / 1e6
    speed_mps = fixes["speed_kph"].to_numpy() / 3.6
    passed = np.diff(matches.way_begin)
    way = np.repeat(np.arange(len(passed)), passed)
    begin_m, end_m, way_m = _metres_along(matches, geometry.line_lengths_m, way)
    lasting_s = time_s[matches.way_to] - time_s[matches.way_from]
    possible = way_m <= settings.max_speed_kph / 3.6 * lasting_s
    confidence = _confidence_of_fixes(fixes, matches, geometry, settings)
    of_way = (confidence[matches.way_from] + confidence[matches.way_to]) / 2
    # A vehicle that stands, or fell back, has no way to share out; any slope will do.
    stands = way_m <= 0
    mean_mps = np.maximum(way_m, 1e-9) / lasting_s
    slopes = speed_mps[matches.way_from] / mean_mps, speed_mps[matches.way_to] / mean_mps

    kept = possible[way]
    way, begin_m, end_m = way[kept], begin_m[kept], end_m[kept]
    whole_m = np.maximum(way_m[way], 1e-9)
    slope = slopes[0][way], slopes[1][way]
    enters = np.where(stands[way], 0.0, share_of_time(begin_m / whole_m, *slope))
    leaves = np.where(stands[way], 1.0, share_of_time(end_m / whole_m, *slope))
    started = time_s[matches.way_from][way]
    entered_s, left_s = started + lasting_s[way] * enters, started + lasting_s[way] * leaves

    # Cut at the end of the slice; no way is longer than a slice, so there is at most one cut.
    slice_s = 60.0 * slice_minutes
    cut_s = np.ceil(left_s / slice_s) * slice_s - slice_s
    is_cut = cut_s > entered_s
    at_cut = share_of_way((cut_s - started) / lasting_s[way], *slope) * whole_m
    # Who stands or falls back has no place on the way at a time; the distance goes by the time.
    by_time = (cut_s - entered_s) / np.maximum(left_s - entered_s, 1e-9)
    before_m = np.where(stands[way], by_time * (end_m - begin_m), at_cut - begin_m)
    pieces = np.repeat(np.arange(len(way)), 1 + is_cut)
    second = np.append(False, np.diff(pieces) == 0) if len(pieces) else np.zeros(0, dtype=bool)
    first = is_cut[pieces] & ~second
    distance_m = np.where(
        first,
        before_m[pieces],
        (end_m - begin_m)[pieces] - np.where(second, before_m[pieces], 0.0),
    )
    follows = np.append(False, matches.way_to[:-1] == matches.way_from[1:])
    follows &= np.append(False, possible[:-1])
    starts_way = np.append(True, np.diff(way[pieces]) != 0) & ~second
    segment = matches.way_segment[kept][pieces]
    return Pieces(
        fix=matches.way_from[way[pieces]],
        joins=~starts_way | follows[way[pieces]],
        segment=segment,
        entered_s=np.where(second, cut_s[pieces], entered_s[pieces]),
        left_s=np.where(first, cut_s[pieces], left_s[pieces]),
        distance_m=distance_m * geometry.ground_scale[segment],
        confidence=of_way[way[pieces]],
    )


def _metres_along(
    matches: Matches, lengths_m: np.ndarray, way: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return where each passed segment begins and ends on its way, and how long each way is."""
    first, last = matches.way_begin[:-1], matches.way_begin[1:] - 1
    driven = lengths_m[matches.way_segment].copy()
    driven[last] = matches.offset_m[matches.way_to]
    driven[first] -= matches.offset_m[matches.way_from]
    total = np.cumsum(driven)
    before = (total - driven)[first]
    return total - driven - before[way], total - before[way], total[last] - before


def _confidence_of_fixes(
    fixes: pl.DataFrame, matches: Matches, geometry: SegmentGeometry, settings: ProbesSettings
) -> np.ndarray:
    """Return ``exp(-(distance / gps_error)^2 / 2) * (1 + cos(turn)) / 2`` of each fix."""
    matched = np.flatnonzero(matches.segment >= 0)
    confidence = np.zeros(len(fixes))
    near = np.exp(-((matches.away_m[matched] / settings.gps_error_m) ** 2) / 2)
    bearing = geometry.bearings_deg(matches.segment[matched], matches.offset_m[matched])
    heading = fixes["heading_deg"].to_numpy()[matched]
    speed_kph = fixes["speed_kph"].to_numpy()[matched]
    confidence[matched] = near * _agreement(turn_between_deg(heading, bearing), speed_kph)
    return confidence


def _agreement(turn_deg: np.ndarray, speed_kph: np.ndarray) -> np.ndarray:
    """Return how well a heading agrees with the road, 1 where it is not known or means nothing."""
    known = ~np.isnan(turn_deg) & ~(speed_kph < MOVING_KPH)
    return np.where(known, (1 + np.cos(np.radians(np.nan_to_num(turn_deg)))) / 2, 1.0)


def traversals_of_pieces(
    pieces: Pieces,
    fixes: pl.DataFrame,
    segment_ids: pl.Series,
    geometry: SegmentGeometry,
    limits_kph: np.ndarray,
    slice_minutes: int,
) -> pl.DataFrame:
    """Join the pieces that follow each other on one segment in one slice.

    The speed is the distance along the road over the time on it. The confidence is the mean of
    the pieces', times ``exp(-2 max(0, speed / limit - 0.75))``: a segment holds a crossing, so who
    seems to pass it at more than the usual share of its limit was rather badly timed.

    Args:
        pieces: in the order of driving.
        fixes: what ``pieces.fix`` refers to.
        segment_ids: ``[N]``.
        geometry: gives lengths.
        limits_kph: ``[N]`` speed limits, NaN where not known.
        slice_minutes: length of a slice in minutes.

    Returns:
        The columns of ``schema.TRAVERSALS``, in the order of driving.
    """
    lengths_m = geometry.line_lengths_m * geometry.ground_scale
    slice_of = np.ceil(pieces.left_s / (60.0 * slice_minutes))
    same = (
        pieces.joins
        & np.append(False, (np.diff(pieces.segment) == 0) & (np.diff(slice_of) == 0))[
            : len(pieces.joins)
        ]
    )
    first = np.flatnonzero(~same)
    if not len(first):
        return empty_traversals()
    segment = pieces.segment[first]
    duration_s = np.add.reduceat(pieces.left_s - pieces.entered_s, first)
    distance_m = np.maximum(np.add.reduceat(pieces.distance_m, first), 0.0)
    count = np.diff(np.append(first, len(pieces.joins)))
    speed_kph = 3.6 * distance_m / np.maximum(duration_s, 1e-9)
    confidence = np.add.reduceat(pieces.confidence, first) / count
    over = np.nan_to_num(speed_kph / limits_kph[segment] - USUAL_SHARE_OF_LIMIT, nan=0.0)
    table = pl.DataFrame(
        {
            "vehicle_id": fixes["vehicle_id"].gather(pieces.fix[first]),
            "segment_id": segment_ids.gather(segment),
            "entered_at": _times(pieces.entered_s[first]),
            "speed_kph": speed_kph,
            "share": np.clip(distance_m / lengths_m[segment], 0, 1),
            "confidence": confidence * np.exp(-2 * np.maximum(over, 0)),
            "duration_s": duration_s,
        }
    )
    return table.filter(pl.col("duration_s") >= SHORTEST_STAY_S)


def traversals_of_spots(
    fixes: pl.DataFrame,
    geometry: SegmentGeometry,
    segment_ids: pl.Series,
    settings: ProbesSettings,
) -> tuple[pl.DataFrame, np.ndarray]:
    """Place fixes one by one on the nearest segment that leads where they head.

    The speed is the reported one. Such a traversal lasts a second and covers the error of a fix on
    either side; its confidence is half of what a way's would be.

    Args:
        fixes: columns of ``schema.FIXES``.
        geometry: of the network.
        segment_ids: ``[N]``.
        settings: ``search_radius_m``, ``gps_error_m`` and ``heading_error_deg`` are used.

    Returns:
        The columns of ``schema.TRAVERSALS``, and the places of the fixes that have a row there.
    """
    speed_kph = fixes["speed_kph"].to_numpy()
    heading_deg = np.where(speed_kph < MOVING_KPH, np.nan, fixes["heading_deg"].to_numpy())
    segment, away_m, turn_deg = geometry.nearest(
        fixes["lat"].to_numpy(),
        fixes["lon"].to_numpy(),
        heading_deg,
        settings.search_radius_m,
        settings.gps_error_m,
        settings.heading_error_deg,
    )
    used = np.flatnonzero((segment >= 0) & ~np.isnan(speed_kph))
    near = np.exp(-((away_m[used] / settings.gps_error_m) ** 2) / 2)
    table = pl.DataFrame(
        {
            "vehicle_id": fixes["vehicle_id"].gather(used),
            "segment_id": segment_ids.gather(segment[used]),
            "entered_at": fixes["timestamp"].gather(used),
            "speed_kph": speed_kph[used],
            "share": np.clip(
                2 * settings.gps_error_m / geometry.line_lengths_m[segment[used]], 0, 1
            ),
            "confidence": SPOT_CONFIDENCE * near * _agreement(turn_deg[used], speed_kph[used]),
            "duration_s": np.full(len(used), SPOT_S),
        }
    )
    return table, used


def empty_traversals() -> pl.DataFrame:
    """Return the columns of ``schema.TRAVERSALS`` without a row."""
    return pl.DataFrame(TRAVERSALS.schema.empty_table())


def _times(seconds: np.ndarray) -> pl.Series:
    micros = np.round(seconds * 1e6).astype(np.int64)
    return pl.Series(micros).cast(pl.Datetime("us", "UTC"))
