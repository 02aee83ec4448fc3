from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roadgraph.probes.geometry import SegmentGeometry
from roadgraph.probes.matching import TripMatcher
from roadgraph.probes.timing import share_of_way
from roadgraph.probes.traversals import (
    Pieces,
    empty_traversals,
    pieces_of_ways,
    traversals_of_pieces,
    traversals_of_spots,
)
from roadgraph.schema import TRAVERSALS
from roadgraph.settings import ProbesSettings
from tests.toy import MONDAY_7, drive, fix, fixes_table, straight_network

PROBES = ProbesSettings()
NETWORK = straight_network()
GEOMETRY = SegmentGeometry(NETWORK)
MATCHER = TripMatcher(NETWORK, PROBES)
IDS = pl.Series(NETWORK.segment_ids)
LIMITS = np.full(3, 50.0)
START_S = MONDAY_7.timestamp()


def pieces_of(fixes: pl.DataFrame, slice_minutes: int = 15) -> Pieces:
    begins = np.arange(len(fixes)) == 0
    matches = MATCHER.match(fixes["lat"].to_numpy(), fixes["lon"].to_numpy(), begins)
    return pieces_of_ways(fixes, matches, GEOMETRY, slice_minutes, PROBES)


def traversals_of(fixes: pl.DataFrame, limits: np.ndarray = LIMITS) -> list[dict[str, object]]:
    table = traversals_of_pieces(pieces_of(fixes), fixes, IDS, GEOMETRY, limits, 15)
    assert table.columns == TRAVERSALS.columns
    return table.to_dicts()


def two_fixes(
    seconds: float, from_m: float, to_m: float, *speeds: float | None, start_s: float = 0.0
) -> pl.DataFrame:
    first, last = speeds or (None, None)
    return fixes_table(
        [
            fix("v1", start_s, from_m, speed_kph=first),
            fix("v1", start_s + seconds, to_m, speed_kph=last),
        ]
    )


def test_time_is_shared_out_by_the_way_where_no_speed_is_reported() -> None:
    pieces = pieces_of(two_fixes(60, 40, 160))
    assert pieces.segment.tolist() == [0, 1]
    assert pieces.entered_s - START_S == pytest.approx([0, 30], abs=0.1)
    assert pieces.left_s - START_S == pytest.approx([30, 60], abs=0.1)
    assert pieces.distance_m == pytest.approx([60, 60], abs=0.2)
    assert pieces.joins.tolist() == [False, True]


def test_who_brakes_for_a_queue_waits_at_the_end_of_the_way() -> None:
    # 120 m in 60 s: 2 m/s on average; 6 m/s at the begin and 0 at the end.
    pieces = pieces_of(two_fixes(60, 40, 160, 21.6, 0.0))
    # s(t) = t (3 - 3 t + t^2) = 0.5 at t = 1 - 0.5^(1/3) = 0.2063, that is after 12.4 s.
    assert pieces.left_s[0] - START_S == pytest.approx(12.38, abs=0.1)


def test_a_way_over_the_end_of_a_slice_is_cut_where_the_vehicle_was_then() -> None:
    # From 20 s before the slice's end to 40 s after it, braking from 6 m/s to a stand.
    fixes = two_fixes(60, 10, 70, 10.8, 0.0, start_s=880)
    pieces = pieces_of(fixes)
    assert pieces.segment.tolist() == [0, 0]
    assert pieces.left_s[0] == pieces.entered_s[1] == START_S + 900
    # Mean 1 m/s, slopes 3 and 0: at a third of the time 1/3 (3 - 1 + 1/9) = 19/27 of 60 m.
    assert pieces.distance_m == pytest.approx([60 * 19 / 27, 60 * 8 / 27], rel=5e-3)


def test_a_standing_vehicle_counts_all_of_its_time_without_a_way() -> None:
    rows = [fix("v1", 30 * i, 50, speed_kph=0.0) for i in range(5)]
    (row,) = traversals_of(fixes_table(rows))
    assert (row["speed_kph"], row["share"], row["duration_s"]) == (0.0, 0.0, 120.0)


def test_a_stand_over_the_end_of_a_slice_makes_a_row_on_either_side() -> None:
    rows = [fix("v1", 850 + 30 * i, 50, speed_kph=0.0) for i in range(5)]
    first, second = traversals_of(fixes_table(rows))
    assert (first["duration_s"], second["duration_s"]) == (50.0, 70.0)
    assert second["entered_at"] == (MONDAY_7 + timedelta(seconds=900)).tz_convert("UTC")


def test_falling_back_within_the_noise_takes_its_way_off_again() -> None:
    rows = [fix("v1", 30 * i, m, speed_kph=None) for i, m in enumerate((20, 50, 45, 80))]
    (row,) = traversals_of(fixes_table(rows))
    assert row["speed_kph"] == pytest.approx(3.6 * 60 / 90, rel=1e-2)
    assert row["share"] == pytest.approx(0.6, abs=0.01)


def test_a_way_faster_than_is_possible_gives_nothing() -> None:
    pieces = pieces_of(two_fixes(2, 40, 160))  # 216 km/h
    assert len(pieces.segment) == 0
    assert traversals_of(two_fixes(2, 40, 160)) == []


def test_confidence_falls_with_the_distance_from_the_road() -> None:
    on, off = (traversals_of(drive(north_m=north))[1]["confidence"] for north in (0.0, 15.0))
    assert on == pytest.approx(1.0, abs=0.01)
    assert off == pytest.approx(np.exp(-0.5), abs=0.01)


@pytest.mark.parametrize(("heading", "expected"), [(90.0, 1.0), (180.0, 0.5), (270.0, 0.0)])
def test_confidence_falls_with_the_turn_between_heading_and_road(
    heading: float, expected: float
) -> None:
    fixes = drive(speed_kph=14.4, every_s=15).with_columns(heading_deg=pl.lit(heading))
    assert traversals_of(fixes)[1]["confidence"] == pytest.approx(expected, abs=0.02)


def test_the_heading_of_a_slow_vehicle_means_nothing() -> None:
    fixes = drive(speed_kph=7.2).with_columns(heading_deg=pl.lit(270.0))
    assert traversals_of(fixes)[1]["confidence"] == pytest.approx(1.0, abs=0.01)


def test_confidence_falls_where_the_limit_is_used_up() -> None:
    fixes = drive(speed_kph=36.0, every_s=6)
    usual = traversals_of(fixes, np.full(3, 50.0))[1]["confidence"]
    fast = traversals_of(fixes, np.full(3, 36.0))[1]["confidence"]
    unknown = traversals_of(fixes, np.full(3, np.nan))[1]["confidence"]
    assert usual == pytest.approx(1.0, abs=0.02)
    assert fast == pytest.approx(np.exp(-2 * 0.25), abs=0.03)
    assert unknown == pytest.approx(1.0, abs=0.02)


def test_spots_cover_the_error_of_a_fix_and_last_a_second() -> None:
    fixes = fixes_table(
        [fix("v1", speed_kph=40.0), fix("v2", speed_kph=None), fix("v3", north_m=90)]
    )
    table, used = traversals_of_spots(fixes, GEOMETRY, IDS, PROBES)
    assert used.tolist() == [0]
    (row,) = table.to_dicts()
    assert (row["segment_id"], row["speed_kph"], row["duration_s"]) == ("A", 40.0, 1.0)


def test_an_empty_table_has_the_columns_of_traversals() -> None:
    assert empty_traversals().columns == TRAVERSALS.columns
    assert empty_traversals().is_empty()


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(st.integers(1, 119), st.floats(0, 60), st.sampled_from([None, 0.0, 20.0, 80.0])),
        min_size=1,
        max_size=8,
    )
)
def test_pieces_share_out_exactly_the_time_and_the_way_between_the_fixes(
    steps: list[tuple[int, float, float | None]],
) -> None:
    seconds, metres, rows = 0.0, 5.0, [fix("v1", 0, 5.0)]
    for lasting_s, way_m, speed in steps:
        seconds, metres = seconds + lasting_s, min(metres + way_m, 295.0)
        rows.append(fix("v1", seconds, metres, speed_kph=speed))
    pieces = pieces_of(fixes_table(rows), slice_minutes=2)
    slow = all(way_m / lasting_s < 50 for lasting_s, way_m, _ in steps)
    if slow:
        assert (pieces.left_s - pieces.entered_s).sum() == pytest.approx(seconds, abs=1e-3)
        assert pieces.distance_m.sum() == pytest.approx(metres - 5.0, abs=1.0)
    assert (pieces.left_s >= pieces.entered_s - 1e-6).all()
    ends = np.ceil(pieces.left_s / 120)
    begins = np.floor(pieces.entered_s / 120 + 1e-9)
    assert (ends - begins <= 1 + 1e-9).all()


def test_the_cut_uses_the_same_curve_as_the_timing() -> None:
    third = share_of_way(np.array([1 / 3]), np.array([3.0]), np.array([0.0]))
    assert third[0] == pytest.approx(19 / 27)
