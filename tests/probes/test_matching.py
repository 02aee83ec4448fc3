from collections import Counter

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from roadgraph.errors import DataError
from roadgraph.probes import matching
from roadgraph.probes.matching import MatchedSteps, Matcher
from roadgraph.settings import ProbesSettings
from tests.toy import (
    MONDAY_7,
    crossroads_network,
    detector_network,
    drive,
    fix,
    fixes_table,
    straight_network,
)

A, B, C = 0, 1, 2
START_S = MONDAY_7.timestamp()


@pytest.fixture(scope="module")
def straight() -> Matcher:
    return Matcher(straight_network(), ProbesSettings())


def places(*east_m: float, every_s: float = 30.0, north_m: float = 0.0) -> pl.DataFrame:
    """Return the fixes of one vehicle at these places, without speeds."""
    rows = [fix("v1", every_s * i, x, north_m, None) for i, x in enumerate(east_m)]
    return fixes_table(rows)


def stays(matched: MatchedSteps) -> list[tuple[int, float, float, float]]:
    """Return segment, seconds of entering and leaving after the start, metres."""
    steps = matched.steps.with_columns(pl.col("entered_s", "left_s") - START_S)
    return steps.select("segment", "entered_s", "left_s", "distance_m").rows()


def test_a_drive_along_the_straight_road_is_on_a_b_and_c_in_this_order(straight: Matcher) -> None:
    matched = straight.match(drive())
    assert matched.refused == {}
    # At 2 m/s from 10 m on, the fixes at 10, 70, 130, 190 and 250 m.
    expected = [
        (A, 0, 30, 60), (A, 30, 45, 30), (B, 45, 60, 30), (B, 60, 90, 60), (B, 90, 95, 10),
        (C, 95, 120, 50),
    ]  # fmt: skip
    found = stays(matched)
    assert [row[0] for row in found] == [row[0] for row in expected]
    for row, hand in zip(found, expected, strict=True):
        assert row == pytest.approx(hand, abs=0.01)
    assert matched.steps["vehicle_id"].unique().to_list() == ["v1"]
    assert matched.steps["deviation_m"].to_list() == pytest.approx([0] * 6, abs=0.01)


def test_steps_of_a_drive_follow_each_other_without_a_gap_in_time(straight: Matcher) -> None:
    steps = straight.match(drive(speed_kph=30, every_s=7)).steps
    assert steps["left_s"][:-1].to_list() == pytest.approx(steps["entered_s"][1:].to_list())


def test_fixes_beside_the_road_show_their_distance_from_it(straight: Matcher) -> None:
    steps = straight.match(drive(north_m=12)).steps
    assert steps["deviation_m"].to_list() == pytest.approx([12] * len(steps), abs=0.05)
    assert set(steps["segment"]) == {A, B, C}


def test_a_vehicle_that_brakes_to_a_stop_has_its_waiting_where_it_stops(straight: Matcher) -> None:
    # 60 m in 30 s from 4 m/s down to 0: half of the way takes 1 - sqrt(1/2) of the time.
    fixes = fixes_table([fix("v1", 0, 70, 0, 14.4), fix("v1", 30, 130, 0, 0.0)])
    (a, b) = stays(straight.match(fixes))
    assert a == pytest.approx((A, 0, 8.787, 30), abs=0.01)
    assert b == pytest.approx((B, 8.787, 30, 30), abs=0.01)


def test_without_speeds_the_time_is_shared_out_by_the_way(straight: Matcher) -> None:
    (a, b) = stays(straight.match(places(80, 140)))
    assert a == pytest.approx((A, 0, 10, 20), abs=0.01)
    assert b == pytest.approx((B, 10, 30, 40), abs=0.01)


def test_all_of_the_time_of_a_vehicle_that_stands_counts(straight: Matcher) -> None:
    assert stays(straight.match(places(150, 150, 150))) == [
        pytest.approx((B, 0, 30, 0)),
        pytest.approx((B, 30, 60, 0)),
    ]


def test_a_fix_that_falls_back_goes_a_negative_way(straight: Matcher) -> None:
    (step,) = stays(straight.match(places(150, 140)))
    assert step == pytest.approx((B, 0, 30, -10), abs=0.01)


def test_a_right_turn_is_matched_to_both_arms_and_never_to_the_opposite_direction() -> None:
    network = crossroads_network()
    rows = [fix("v1", 10.0 * i, 0, y, None) for i, y in enumerate((-90, -50, -10))]
    rows += [fix("v1", 30 + 10.0 * i, x, 0, None) for i, x in enumerate((30, 70))]
    matched = Matcher(network, ProbesSettings()).match(fixes_table(rows))
    assert matched.refused == {}
    driven = list(dict.fromkeys(network.segment_ids[i] for i in matched.steps["segment"]))
    assert driven == ["south_in", "east_out"]


def test_a_silence_longer_than_the_limit_makes_two_trips(straight: Matcher) -> None:
    rows = [fix("v1", time, x, 0, None) for time, x in ((0, 10), (30, 70), (150, 130), (271, 190))]
    matched = straight.match(fixes_table([*rows, fix("v1", 301, 250, 0, None)]))
    assert matched.refused == {}
    assert matched.steps["trip"].to_list() == [1, 1, 1, 2, 2]
    assert [row[1] for row in stays(matched)][3] == pytest.approx(271)


def test_two_vehicles_are_two_trips_and_never_joined(straight: Matcher) -> None:
    fixes = pl.concat([drive("v1", end_m=80), drive("v2", begin_m=130)])
    steps = straight.match(fixes).steps
    assert steps["vehicle_id"].to_list() == ["v1", "v2", "v2", "v2"]
    assert steps["segment"].to_list() == [A, B, B, C]


def test_a_vehicle_far_from_every_road_is_counted_as_unmatched(straight: Matcher) -> None:
    matched = straight.match(pl.concat([drive("v1"), drive("v2", north_m=200)]))
    assert matched.refused == {"unmatched": 5}
    assert matched.steps["vehicle_id"].unique().to_list() == ["v1"]


def test_how_far_a_road_may_be_is_a_setting() -> None:
    matcher = Matcher(straight_network(), ProbesSettings(search_radius_m=250))
    assert matcher.match(drive(north_m=200)).refused == {}


def test_a_trip_of_one_fix_is_counted_as_lone(straight: Matcher) -> None:
    matched = straight.match(fixes_table([fix("v1")]))
    assert matched.refused == {"lone_fix": 1}
    assert matched.steps.is_empty()


def test_lone_and_unmatched_fixes_are_counted_side_by_side(straight: Matcher) -> None:
    far = drive("v2", north_m=200)
    lone = fixes_table([fix("v3", 0), fix("v3", 121), fix("v4", 0, north_m=200)])
    matched = straight.match(pl.concat([drive("v1"), far, lone]))
    assert matched.refused == {"lone_fix": 3, "unmatched": 5}


def test_a_far_fix_in_the_middle_leaves_two_parts_of_one_trip(straight: Matcher) -> None:
    rows = [fix("v1", 30 * i, x, 0, None) for i, x in enumerate((10, 70, 130, 190, 250))]
    rows[2] = fix("v1", 60, 130, 200, None)
    matched = straight.match(fixes_table(rows))
    assert matched.refused == {"unmatched": 1}
    steps = matched.steps
    assert steps["trip"].unique().to_list() == [1]
    assert steps["part"].n_unique() == 2
    # Nothing is known of the time from 30 s to 90 s.
    assert all(end <= 30.01 or begin >= 89.99 for _, begin, end, _ in stays(matched))


def test_no_fixes_give_no_steps(straight: Matcher) -> None:
    matched = straight.match(fixes_table([]))
    assert (len(matched.steps), matched.refused) == (0, {})
    assert matched.steps.schema == straight.match(drive()).steps.schema


def test_the_same_fixes_give_the_same_steps_from_a_new_matcher(straight: Matcher) -> None:
    fixes = pl.concat([drive("v1", north_m=7), drive("v2", speed_kph=20, every_s=11)])
    again = Matcher(straight_network(), ProbesSettings()).match(fixes)
    assert_frame_equal(straight.match(fixes).steps, again.steps)


def test_a_network_without_geometry_is_refused() -> None:
    with pytest.raises(DataError, match="cannot be matched: the network has no geometry"):
        Matcher(detector_network(), ProbesSettings())


def test_nothing_of_the_matchers_log_reaches_standard_output(
    capfd: pytest.CaptureFixture[str],
) -> None:
    Matcher(straight_network(), ProbesSettings()).match(drive())
    print("after", flush=True)  # noqa: T201 - what the user is told later must be seen
    assert capfd.readouterr().out == "after\n"


def test_progress_rises_to_one_block_by_block(
    straight: Matcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matching, "TRIPS_A_BLOCK", 2)
    shares: list[float] = []
    straight.match(pl.concat([drive(f"v{i}") for i in range(4)] + [drive("v5")]), shares.append)
    assert shares == [0.4, 0.8, 1.0]


ANY_FIX = st.tuples(
    st.sampled_from(["v1", "v2", "v3"]),
    st.integers(0, 12).map(lambda i: 25 * i),
    st.floats(-80, 380),
    st.sampled_from([0.0, 0.0, 0.0, 20.0, 200.0]),
)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(rows=st.lists(ANY_FIX, max_size=25, unique_by=lambda row: row[:2]))
def test_every_fix_is_in_a_step_or_counted(
    straight: Matcher, rows: list[tuple[str, int, float, float]]
) -> None:
    fixes = fixes_table([fix(*row, None) for row in sorted(rows)])
    matched = straight.match(fixes)
    covered: Counter[str] = Counter()
    for vehicle, time, *_ in rows:
        of_vehicle = matched.steps.filter(pl.col("vehicle_id") == vehicle)
        moment = START_S + time
        inside = (of_vehicle["entered_s"] <= moment + 0.001) & (
            of_vehicle["left_s"] >= moment - 0.001
        )
        covered["used" if inside.any() else "refused"] += 1
    assert covered["refused"] == sum(matched.refused.values())
    assert all(count > 0 for count in matched.refused.values())
    assert (matched.steps["left_s"] >= matched.steps["entered_s"]).all()
    longest = ProbesSettings().max_gap_s
    assert (matched.steps["left_s"] - matched.steps["entered_s"] <= longest + 0.001).all()
