import json
from dataclasses import asdict
from typing import Any

import polars as pl
import pytest

from roadgraph.probes.match_report import DISTANCE_EDGES_M, WORST_TRIPS, MatchReport
from tests.toy import fix, fixes_table


def judged(*rows: tuple[str, int | None, float | None, str | None]) -> pl.DataFrame:
    """Return fixes with vehicle, trip, distance and rule."""
    fixes = fixes_table([fix(row[0], 30 * place) for place, row in enumerate(rows)])
    columns: dict[str, Any] = {
        "trip": pl.Series([row[1] for row in rows], dtype=pl.Int64),
        "away_m": pl.Series([row[2] for row in rows], dtype=pl.Float64),
        "rule": pl.Series([row[3] for row in rows], dtype=pl.String),
    }
    return fixes.with_columns(**columns)


GOOD = judged(*[("a", 1, 3.0, None)] * 4, ("b", 2, 25.0, None), ("c", None, None, "parked"))
BAD = judged(*[("d", 1, 40.0, None)] * 3, ("d", 1, None, "unmatched"), ("e", 2, None, "lone_fix"))


def test_the_report_counts_what_was_tried_and_what_failed() -> None:
    report = MatchReport.of(GOOD)
    assert (report.tried, report.on_trips, report.trips, report.refused) == (5, 5, 1, {})
    assert report.match_rate == 1.0
    assert report.mean_distance_m == pytest.approx((4 * 3 + 25) / 5)
    by_distance = dict(zip(DISTANCE_EDGES_M, report.distances, strict=True))
    assert (by_distance[2], by_distance[20]) == (4, 1)
    bad = MatchReport.of(BAD)
    assert bad.refused == {"lone_fix": 1, "unmatched": 1}
    assert bad.match_rate == pytest.approx(3 / 5)


def test_reports_of_different_fixes_add_up_in_any_order() -> None:
    one, two = MatchReport.of(GOOD), MatchReport.of(BAD)
    assert one.plus(two) == two.plus(one)
    assert one.plus(MatchReport()) == one
    assert one.plus(two).tried == 10
    assert one.plus(two).refused == {"lone_fix": 1, "unmatched": 1}


def test_the_worst_trips_come_first_and_unmatched_fixes_weigh() -> None:
    report = MatchReport.of(GOOD).plus(MatchReport.of(BAD))
    assert [trip["vehicle_id"] for trip in report.worst] == ["d", "a"]
    assert report.worst[0]["score"] == pytest.approx((3 * 40 + 100) / 4)
    assert report.worst[0]["matched"] == [True, True, True, False]
    assert len(report.worst[0]["lat"]) == report.worst[0]["fixes"] == 4


def test_only_so_many_worst_trips_are_kept() -> None:
    many = MatchReport()
    for place in range(WORST_TRIPS + 3):
        many = many.plus(MatchReport.of(judged(*[(f"v{place}", 1, float(place), None)] * 4)))
    assert [trip["score"] for trip in many.worst] == [8.0, 7.0, 6.0, 5.0, 4.0, 3.0]


def test_nothing_tried_has_no_rate() -> None:
    empty = MatchReport.of(GOOD.clear())
    assert empty == MatchReport()
    assert empty.match_rate != empty.match_rate
    assert empty.mean_distance_m != empty.mean_distance_m


def test_a_report_comes_back_from_a_manifest() -> None:
    report = MatchReport.of(GOOD).plus(MatchReport.of(BAD))
    content = json.loads(json.dumps(asdict(report)))
    assert MatchReport.from_manifest(content) == report
