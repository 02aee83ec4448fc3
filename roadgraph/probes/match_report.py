"""How well the fixes fit the roads: match rate, distances, what failed, and the worst trips."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

DISTANCE_EDGES_M = (0, 2, 5, 10, 15, 20, 30, 50, 100)
WORST_TRIPS = 6
LEAST_FIXES = 4  # of a trip that is shown among the worst


@dataclass(frozen=True)
class MatchReport:
    """Counts that can be added up over vehicles and days.

    Attributes:
        tried: fixes of moving vehicles that were tried: used or refused by the matching.
        on_trips: those that were matched along a trip.
        trips: trips of two fixes or more.
        refused: fixes refused by the matching, by rule.
        distances: fixes by their distance from the road, between ``DISTANCE_EDGES_M`` and beyond.
        metres: sum of these distances.
        worst: rows of fixes (``trip``, ``lat``, ``lon``, ``away_m``, ``rule``) of the trips that
            fit worst, and by what: ``score``, the mean distance with 100 m for an unmatched fix.
    """

    tried: int = 0
    on_trips: int = 0
    trips: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    distances: tuple[int, ...] = (0,) * len(DISTANCE_EDGES_M)
    metres: float = 0.0
    worst: tuple[dict[str, Any], ...] = ()

    @classmethod
    def of(cls, fixes: pl.DataFrame) -> MatchReport:
        """Return the report of the fixes of :class:`~roadgraph.probes.drives.Driven`."""
        tried = fixes.filter(pl.col("trip").is_not_null())
        away_m = tried["away_m"].drop_nulls().to_numpy()
        refused = tried.drop_nulls("rule").group_by("rule").len().sort("rule")
        edges = np.append(np.array(DISTANCE_EDGES_M, dtype=float), np.inf)
        trips = tried.group_by("trip").agg(
            pl.len().alias("fixes"), pl.col("away_m").fill_null(100.0).mean().alias("score")
        )
        long = trips.filter(pl.col("fixes") >= LEAST_FIXES)
        return cls(
            tried=len(tried),
            on_trips=len(away_m),
            trips=int((trips["fixes"] > 1).sum()),
            refused={str(rule): int(count) for rule, count in refused.iter_rows()},
            distances=tuple(int(n) for n in np.histogram(away_m, edges)[0]),
            metres=float(away_m.sum()),
            worst=_courses(tried, long.sort(["score", "trip"], descending=[True, False])),
        )

    @classmethod
    def from_manifest(cls, content: dict[str, Any]) -> MatchReport:
        """Return the report that ``dataclasses.asdict`` made the content of."""
        tuples = {name: tuple(content[name]) for name in ("distances", "worst")}
        return cls(**{**content, **tuples})

    def plus(self, other: MatchReport) -> MatchReport:
        """Return the sum of two reports of different fixes."""
        rules = sorted({*self.refused, *other.refused})
        worst = sorted((*self.worst, *other.worst), key=lambda course: -course["score"])
        return MatchReport(
            self.tried + other.tried,
            self.on_trips + other.on_trips,
            self.trips + other.trips,
            {rule: self.refused.get(rule, 0) + other.refused.get(rule, 0) for rule in rules},
            tuple(a + b for a, b in zip(self.distances, other.distances, strict=True)),
            self.metres + other.metres,
            tuple(worst[:WORST_TRIPS]),
        )

    @property
    def match_rate(self) -> float:
        """The share of the tried fixes that were used, 0-1; NaN where there was none."""
        return 1 - sum(self.refused.values()) / self.tried if self.tried else float("nan")

    @property
    def mean_distance_m(self) -> float:
        """The mean distance of matched fixes from the road; NaN where there was none."""
        return self.metres / self.on_trips if self.on_trips else float("nan")


def _courses(fixes: pl.DataFrame, trips: pl.DataFrame) -> tuple[dict[str, Any], ...]:
    courses = []
    for trip, count, score in trips.head(WORST_TRIPS).iter_rows():
        rows = fixes.filter(pl.col("trip") == trip).sort("timestamp")
        courses.append(
            {
                "vehicle_id": rows["vehicle_id"][0],
                "started_at": rows["timestamp"][0].isoformat(),
                "fixes": count,
                "score": round(float(score), 3),
                "lat": rows["lat"].to_list(),
                "lon": rows["lon"].to_list(),
                "matched": rows["away_m"].is_not_null().to_list(),
            }
        )
    return tuple(courses)
