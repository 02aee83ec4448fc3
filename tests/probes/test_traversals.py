import math
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from roadgraph.probes.matching import Matcher
from roadgraph.probes.traversals import SHORTEST_STAY_S, traversals_from_steps
from roadgraph.schema import TRAVERSALS
from roadgraph.settings import ProbesSettings
from tests.toy import MONDAY_7, drive, straight_network

NETWORK = straight_network()
A, B, C = 0, 1, 2
START_S = MONDAY_7.timestamp()
GPS_ERROR_M = 30.0


def step(
    segment: int,
    entered_s: float,
    left_s: float,
    distance_m: float,
    vehicle_id: str = "v1",
    trip: int = 1,
    part: int = 0,
    deviation_m: float = 0.0,
) -> dict[str, object]:
    """Return one step; its times are seconds after the begin of a slice."""
    return {
        "vehicle_id": vehicle_id,
        "trip": trip,
        "part": part,
        "segment": segment,
        "entered_s": START_S + entered_s,
        "left_s": START_S + left_s,
        "distance_m": float(distance_m),
        "deviation_m": deviation_m,
    }


def traversals(*steps: dict[str, object], slice_minutes: int = 15) -> pl.DataFrame:
    return traversals_from_steps(pl.DataFrame(steps), NETWORK, slice_minutes, GPS_ERROR_M)


def rows(*steps: dict[str, object], slice_minutes: int = 15) -> list[tuple[Any, ...]]:
    """Return segment, seconds after the slice's begin, speed and share."""
    found = traversals(*steps, slice_minutes=slice_minutes)
    seconds = (pl.col("entered_at").dt.epoch("us") / 1e6 - START_S).alias("seconds")
    return found.select("segment_id", seconds, "speed_kph", "share").rows()


def test_the_speed_is_the_way_over_the_time_and_the_share_that_of_the_length() -> None:
    assert rows(step(A, 0, 45, 90)) == [("A", 0, pytest.approx(7.2), pytest.approx(0.9))]


def test_steps_that_follow_each_other_on_a_segment_are_one_traversal() -> None:
    # 20 m in 10 s and 70 m in 20 s: 90 m in 30 s.
    assert rows(step(A, 0, 10, 20), step(A, 10, 30, 70)) == [
        ("A", 0, pytest.approx(10.8), pytest.approx(0.9))
    ]


def test_a_drive_over_three_segments_has_three_traversals() -> None:
    found = rows(step(A, 0, 10, 100), step(B, 10, 15, 100), step(C, 15, 35, 100))
    assert found == [
        ("A", 0, pytest.approx(36), 1.0),
        ("B", 10, pytest.approx(72), 1.0),
        ("C", 15, pytest.approx(18), 1.0),
    ]


def test_a_segment_that_is_driven_again_later_has_two_traversals() -> None:
    found = rows(step(A, 0, 10, 100), step(B, 10, 20, 100), step(A, 20, 40, 100))
    assert [(row[0], row[1]) for row in found] == [("A", 0), ("A", 20), ("B", 10)]


@pytest.mark.parametrize("other", [{"vehicle_id": "v2"}, {"trip": 2}, {"part": 3}])
def test_another_vehicle_trip_or_part_is_another_traversal(other: dict[str, object]) -> None:
    second = {**step(A, 10, 20, 40), **other}
    found = rows(step(A, 0, 10, 20), second)
    assert [row[2] for row in found] == pytest.approx([7.2, 14.4])


def test_a_stay_over_the_end_of_a_slice_is_cut_there() -> None:
    # 80 m in 40 s, of them 10 s before 900 s.
    found = rows(step(A, 890, 930, 80))
    assert found == [
        ("A", 890, pytest.approx(7.2), pytest.approx(0.2)),
        ("A", 900, pytest.approx(7.2), pytest.approx(0.6)),
    ]


def test_a_stay_of_several_steps_over_the_end_of_a_slice_gives_a_row_on_either_side() -> None:
    found = rows(step(A, 870, 890, 20), step(A, 890, 910, 40), step(A, 910, 920, 10))
    # Before: 20 + 20 m in 30 s. After: 20 + 10 m in 20 s.
    assert found == [
        ("A", 870, pytest.approx(4.8), pytest.approx(0.4)),
        ("A", 900, pytest.approx(5.4), pytest.approx(0.3)),
    ]


def test_a_stay_that_ends_or_begins_with_a_slice_is_not_cut() -> None:
    found = rows(step(A, 880, 900, 40), step(B, 900, 920, 40))
    assert [(row[0], row[1]) for row in found] == [("A", 880), ("B", 900)]
    assert [row[2] for row in found] == pytest.approx([7.2, 7.2])


def test_where_a_slice_ends_depends_on_its_length() -> None:
    long = step(A, 290, 310, 40)
    assert [row[1] for row in rows(long, slice_minutes=15)] == [290]
    assert [row[1] for row in rows(long, slice_minutes=5)] == [290, 300]


def test_what_a_vehicle_does_later_does_not_change_the_rows_of_a_slice_that_is_over() -> None:
    before = [step(A, 860, 880, 30), step(A, 880, 905, 30)]
    later = [step(A, 905, 1000, 2), step(B, 1000, 1010, 100)]
    assert rows(*before, *later)[0] == rows(*before)[0]


def test_standing_still_is_a_speed_of_0() -> None:
    assert rows(step(A, 0, 30, 0), step(A, 30, 60, 0)) == [("A", 0, 0.0, 0.0)]


def test_falling_back_in_sum_is_a_speed_of_0() -> None:
    assert rows(step(A, 0, 30, 5), step(A, 30, 60, -12)) == [("A", 0, 0.0, 0.0)]


def test_a_fix_that_fell_back_and_went_on_counts_the_net_way() -> None:
    assert rows(step(A, 0, 30, -10), step(A, 30, 60, 70)) == [
        ("A", 0, pytest.approx(3.6), pytest.approx(0.6))
    ]


def test_a_share_is_at_most_the_whole_segment() -> None:
    assert rows(step(A, 0, 30, 150)) == [("A", 0, pytest.approx(18), 1.0)]


def test_a_touch_shorter_than_half_a_second_measures_nothing() -> None:
    assert SHORTEST_STAY_S == 0.5
    found = rows(step(A, 0, 10, 99), step(B, 10, 10.4, 4), step(C, 11, 11.5, 5))
    assert [row[0] for row in found] == ["A", "C"]


def test_the_confidence_is_that_of_a_normal_deviation_averaged_over_the_steps() -> None:
    found = traversals(
        step(A, 0, 10, 20, deviation_m=0.0), step(A, 10, 20, 20, deviation_m=GPS_ERROR_M)
    )
    assert found["confidence"].to_list() == pytest.approx([(1 + math.exp(-0.5)) / 2])


def test_rows_are_sorted_by_key_and_have_the_tables_columns_and_types() -> None:
    found = traversals(step(C, 0, 10, 9, "v2"), step(B, 20, 30, 9), step(A, 30, 40, 9))
    assert found.columns == TRAVERSALS.columns
    assert found.select("vehicle_id", "segment_id").rows() == [
        ("v1", "A"),
        ("v1", "B"),
        ("v2", "C"),
    ]
    assert found.schema["entered_at"] == pl.Datetime("us", "UTC")
    assert TRAVERSALS.conform(found.to_arrow()).num_rows == 3


def test_no_steps_give_no_traversals() -> None:
    steps = Matcher(NETWORK, ProbesSettings()).match(drive().clear()).steps
    found = traversals_from_steps(steps, NETWORK, 15, GPS_ERROR_M)
    assert found.is_empty()
    assert TRAVERSALS.conform(found.to_arrow()).num_rows == 0


def test_a_drive_at_a_constant_speed_has_that_speed_on_every_segment() -> None:
    matched = Matcher(NETWORK, ProbesSettings()).match(drive(speed_kph=27, every_s=10))
    before = matched.steps.clone()
    found = traversals_from_steps(matched.steps, NETWORK, 15, GPS_ERROR_M)
    assert found["segment_id"].to_list() == ["A", "B", "C"]
    assert found["speed_kph"].to_list() == pytest.approx([27] * 3, rel=1e-3)
    # From 10 m in A to 235 m.
    assert found["share"].to_list() == pytest.approx([0.9, 1.0, 0.35], abs=1e-3)
    assert_frame_equal(matched.steps, before)
