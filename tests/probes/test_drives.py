from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from roadgraph.probes.drives import Driven, Driver
from roadgraph.schema import TRAVERSALS
from roadgraph.settings import ProbesSettings
from tests.toy import drive, fix, fixes_table, straight_network

PROBES = ProbesSettings()
DRIVER = Driver(straight_network(), PROBES, 15)


def arrived(fixes: pl.DataFrame) -> pl.DataFrame:
    return fixes.with_row_index("row", 1).with_columns(
        pl.col("row").cast(pl.Int64), file=pl.lit("f")
    )


def driven(*fixes: pl.DataFrame, driver: Driver = DRIVER) -> Driven:
    return driver.drive(arrived(pl.concat(fixes)))


def rules(result: Driven) -> dict[str | None, int]:
    return dict(result.fixes.group_by("rule").len().iter_rows())


def test_a_drive_becomes_a_traversal_a_segment_and_all_its_fixes_are_used() -> None:
    result = driven(drive())
    assert result.traversals.columns == TRAVERSALS.columns
    assert result.traversals["segment_id"].to_list() == ["A", "B", "C"]
    assert result.traversals["speed_kph"].to_list() == pytest.approx([7.2] * 3, rel=1e-3)
    assert result.traversals["share"].to_list() == pytest.approx([0.9, 1.0, 0.5], abs=2e-3)
    assert result.traversals["duration_s"].to_list() == pytest.approx([45, 50, 25], rel=1e-2)
    assert rules(result) == {None: 5}


def test_a_fix_alone_counts_with_its_reported_speed_where_a_road_is_near() -> None:
    result = driven(fixes_table([fix("v1", speed_kph=30.0)]))
    (row,) = result.traversals.to_dicts()
    assert (row["segment_id"], row["speed_kph"], row["duration_s"]) == ("A", 30.0, 1.0)
    assert row["share"] == pytest.approx(2 * PROBES.gps_error_m / 100, rel=1e-2)
    assert row["confidence"] == pytest.approx(0.5, abs=0.01)
    assert rules(result) == {None: 1}


def test_a_fix_alone_without_speed_or_road_is_refused_as_lone() -> None:
    result = driven(fixes_table([fix("v1", speed_kph=None), fix("v2", north_m=150)]))
    assert rules(result) == {"lone_fix": 2}
    assert result.traversals.is_empty()


def test_a_trip_far_from_every_road_is_unmatched() -> None:
    assert rules(driven(drive("far", north_m=150), drive("v1"))) == {None: 5, "unmatched": 5}


def test_a_way_that_is_too_long_for_its_time_is_no_way() -> None:
    slow = Driver(straight_network(), replace(PROBES, max_speed_kph=30.0), 15)
    rows = [fix("v1", 0, 10, speed_kph=None), fix("v1", 10, 190, speed_kph=None)]
    # 180 m in 10 s are 65 km/h; within the tolerance of a jump, yet no way.
    result = driven(fixes_table(rows), driver=slow)
    assert result.traversals.is_empty()
    assert rules(result) == {"unmatched": 2}


def test_the_nearest_matcher_places_every_fix_by_itself() -> None:
    nearest = Driver(straight_network(), replace(PROBES, matcher="nearest"), 15)
    rows = [fix("v1", 600 * i, 50 + 100 * i, speed_kph=s) for i, s in enumerate((30.0, None, 20.0))]
    result = driven(fixes_table([*rows, fix("far", north_m=150)]), driver=nearest)
    assert result.traversals["segment_id"].to_list() == ["A", "C"]
    assert rules(result) == {None: 2, "no_speed": 1, "unmatched": 1}


def test_no_fix_at_all_drives_nowhere() -> None:
    result = driven(drive().clear())
    assert result.traversals.is_empty()
    assert result.fixes.is_empty()


def test_fixes_that_are_all_refused_before_matching_drive_nowhere() -> None:
    rows = [fix("v1", 0), *[fix("v1", 0) for _ in range(3)]]
    result = driven(fixes_table([{**row, "speed_kph": None} for row in rows]))
    assert rules(result) == {"duplicate": 3, "lone_fix": 1}


MESSY = st.lists(
    st.builds(
        fix,
        st.sampled_from(["a", "b", "c"]),
        st.integers(0, 2000),
        st.floats(-50, 350),
        st.sampled_from([0.0, 5.0, -30.0, 150.0]),
        st.sampled_from([0.0, 1.0, 40.0, None]),
        heading_deg=st.sampled_from([None, 0.0, 90.0, 270.0]),
    ),
    max_size=40,
)


def table(rows: Sequence[dict[str, Any]]) -> pl.DataFrame:
    return arrived(fixes_table(rows))


@settings(max_examples=60)
@given(MESSY)
def test_every_fix_is_used_or_has_a_rule_and_every_traversal_is_possible(
    rows: list[dict[str, Any]],
) -> None:
    result = DRIVER.drive(table(rows))
    assert sorted(result.fixes["row"].to_list()) == list(range(1, len(rows) + 1))
    traversals = result.traversals
    assert traversals["share"].is_between(0, 1).all()
    assert traversals["confidence"].is_between(0, 1).all()
    assert (traversals["duration_s"] >= 0.5).all()
    assert (traversals["speed_kph"] >= 0).all()
    assert (traversals["speed_kph"] <= 3 * PROBES.max_speed_kph).all()
    if result.fixes["rule"].null_count() == 0:
        assert traversals.is_empty()


@settings(max_examples=40)
@given(MESSY)
def test_any_group_of_whole_vehicles_gives_the_same_rows(rows: list[dict[str, Any]]) -> None:
    fixes = table(rows)
    together = DRIVER.drive(fixes)
    alone = [DRIVER.drive(fixes.filter(pl.col("vehicle_id") == name)) for name in "abc"]
    order = list(TRAVERSALS.key)
    apart = pl.concat([item.traversals for item in alone])
    assert_frame_equal(apart.sort(order), together.traversals.sort(order))
    judged = pl.concat([item.fixes for item in alone]).sort("row")
    assert judged["rule"].to_list() == together.fixes.sort("row")["rule"].to_list()
