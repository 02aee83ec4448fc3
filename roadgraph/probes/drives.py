"""From the fixes of some vehicles to their traversals, with the fate of every fix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from roadgraph.probes.geometry import SegmentGeometry
from roadgraph.probes.matching import NOWHERE, Matches, TripMatcher
from roadgraph.probes.sequence import judge_sequence
from roadgraph.probes.traversals import (
    pieces_of_ways,
    traversals_of_pieces,
    traversals_of_spots,
)

if TYPE_CHECKING:
    from roadgraph.network.network import Network
    from roadgraph.settings import ProbesSettings


@dataclass(frozen=True)
class Driven:
    """What the fixes of some vehicles came to.

    Attributes:
        traversals: the columns of ``schema.TRAVERSALS``.
        fixes: every fix with ``rule`` (null where a traversal rests on it), ``trip`` (null where
            it is in none), ``segment`` (place in the network's order, -1 for none) and ``away_m``
            (from the road it was matched to, else null).
    """

    traversals: pl.DataFrame
    fixes: pl.DataFrame


class Driver:
    """A road network prepared for turning fixes into traversals.

    Every vehicle is worked on by itself, so any group of whole vehicles gives the same rows as all
    of them at once.

    Raises:
        DataError: the network has no geometry.
    """

    def __init__(self, network: Network, settings: ProbesSettings, slice_minutes: int) -> None:
        self._settings = settings
        self._slice_minutes = slice_minutes
        self._geometry = SegmentGeometry(network)
        self._segment_ids = pl.Series(network.segment_ids, dtype=pl.String)
        self._limits_kph = network.segments["speed_limit_kph"].to_numpy(dtype=np.float64)
        self._trips = TripMatcher(network, settings) if settings.matcher == "trips" else None

    def drive(self, rows: pl.DataFrame) -> Driven:
        """Judge, match and time the fixes of whole vehicles.

        The rules, after those of :func:`~roadgraph.probes.sequence.judge_sequence`:
        ``lone_fix`` (alone on its trip, and without a speed or a road near it), ``unmatched`` (no
        road near it, or no possible way from it to another fix), ``no_speed`` (placed by itself,
        but without a reported speed).

        Args:
            rows: the columns of ``schema.FIXES`` with ``file`` and ``row``, judged row by row.
        """
        judged = judge_sequence(rows, self._slice_minutes, self._settings)
        fixes = judged.filter(pl.col("rule").is_null())
        begins = fixes["breaks"].to_numpy()
        if self._trips is None:
            traversals, fate = self._drive_spots(fixes)
        else:
            traversals, fate = self._drive_trips(fixes, begins, self._trips)
        fixes = fixes.drop("rule").with_columns(
            pl.Series("trip", np.cumsum(begins), dtype=pl.Int64), *fate
        )
        refused = judged.filter(pl.col("rule").is_not_null())
        return Driven(traversals, pl.concat([fixes, refused], how="diagonal").drop("breaks"))

    def _drive_trips(
        self, fixes: pl.DataFrame, begins: np.ndarray, matcher: TripMatcher
    ) -> tuple[pl.DataFrame, list[pl.Series]]:
        matches = matcher.match(fixes["lat"].to_numpy(), fixes["lon"].to_numpy(), begins)
        pieces = pieces_of_ways(fixes, matches, self._geometry, self._slice_minutes, self._settings)
        driven = traversals_of_pieces(
            pieces,
            fixes,
            self._segment_ids,
            self._geometry,
            self._limits_kph,
            self._slice_minutes,
        )
        timed = _fixes_of_ways(matches, pieces.fix, len(fixes))
        left = np.flatnonzero(~timed)
        spots, used = traversals_of_spots(
            fixes[left], self._geometry, self._segment_ids, self._settings
        )
        lone = begins & np.append(begins[1:], True)
        rule = np.where(lone, "lone_fix", "unmatched").astype(object)
        rule[timed] = None
        rule[left[used]] = None
        return pl.concat([driven, spots]), _fate(rule, matches.segment, matches.away_m)

    def _drive_spots(self, fixes: pl.DataFrame) -> tuple[pl.DataFrame, list[pl.Series]]:
        spots, used = traversals_of_spots(fixes, self._geometry, self._segment_ids, self._settings)
        rule = np.full(len(fixes), "unmatched", dtype=object)
        rule[fixes["speed_kph"].is_null().to_numpy()] = "no_speed"
        rule[used] = None
        nowhere = np.full(len(fixes), NOWHERE)
        return spots, _fate(rule, nowhere, np.full(len(fixes), np.nan))


def _fixes_of_ways(matches: Matches, way_starts: np.ndarray, count: int) -> np.ndarray:
    """Return which fixes a timed way begins or ends at."""
    used = np.zeros(count, dtype=bool)
    used[way_starts] = True
    ends = np.isin(matches.way_from, way_starts)
    used[matches.way_to[ends]] = True
    return used


def _fate(rule: np.ndarray, segment: np.ndarray, away_m: np.ndarray) -> list[pl.Series]:
    return [
        pl.Series("rule", rule.tolist(), dtype=pl.String),
        pl.Series("segment", segment, dtype=pl.Int64),
        pl.Series("away_m", away_m, dtype=pl.Float64, nan_to_null=True),
    ]
