from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roadgraph.probes.sequence import judge_sequence
from roadgraph.settings import ProbesSettings
from tests.toy import MONDAY_7, fix, fixes_table

PROBES = ProbesSettings()


def arrived(rows: Sequence[dict[str, object]], file: str = "f") -> pl.DataFrame:
    return fixes_table(rows).with_columns(
        row=pl.int_range(1, len(rows) + 1, dtype=pl.Int64), file=pl.lit(file)
    )


def rules(rows: Sequence[dict[str, object]], probes: ProbesSettings = PROBES) -> list[str | None]:
    """Return the rule of each row, in the order in which they came."""
    return judge_sequence(arrived(rows), 15, probes).sort("row")["rule"].to_list()


def driving(*seconds: float, vehicle: str = "v1") -> list[dict[str, object]]:
    return [fix(vehicle, s, east_m=10 * s) for s in seconds]


def test_no_fix_at_all_is_no_fault() -> None:
    judged = judge_sequence(arrived([]), 15, PROBES)
    assert judged.is_empty()
    assert {"rule", "breaks"} <= set(judged.columns)


def test_the_second_fix_of_a_moment_is_a_duplicate_whatever_the_order() -> None:
    pair = [fix("v1", 0, north_m=1), fix("v1", 0, north_m=2)]
    assert rules(pair) == [None, "duplicate"]
    assert rules(pair[::-1]) == ["duplicate", None]
    assert rules([fix("v1", 0), fix("v2", 0)]) == [None, None]


def test_a_clock_set_back_is_refused_until_it_has_caught_up() -> None:
    rows = driving(*range(1000, 1300, 30), *range(100, 200, 30), *range(1300, 1500, 30))
    expected = [None] * 10 + ["clock_backwards"] * 4 + [None] * 7
    assert rules(rows) == expected


def test_a_row_that_is_a_little_late_is_no_clock_set_back() -> None:
    rows = driving(0, 30, 60, 400, 101, 430, 460, 490, 520, 550)
    assert rules(rows) == [None] * 10
    strict = replace(PROBES, max_lateness_s=298.0)
    assert rules(rows, strict)[4] == "clock_backwards"


SECONDS = list(range(0, 4000, 30))


@pytest.mark.parametrize(
    "seconds",
    [SECONDS[::-1], sorted(SECONDS, key=lambda s: s % 7), [*SECONDS[70:], *SECONDS[:70]]],
    ids=["newest first", "by something else", "two halves"],
)
def test_a_file_in_another_order_than_arrival_shows_no_clock_set_back(seconds: list[int]) -> None:
    assert "clock_backwards" not in rules(driving(*seconds))


def test_clocks_of_different_files_are_not_compared() -> None:
    late = arrived(driving(*range(5000, 5300, 30)), "a")
    early = arrived(driving(*range(0, 300, 30)), "b").with_columns(pl.col("row") + 10)
    judged = judge_sequence(pl.concat([late, early]), 15, PROBES)
    assert judged["rule"].null_count() == 20


FAR_M = 20_000.0


@pytest.mark.parametrize("at", [0, 1, 5, 9])
def test_a_fix_that_no_vehicle_gets_to_is_a_jump(at: int) -> None:
    rows = driving(*range(0, 300, 30))
    rows[at] = fix("v1", 30 * at, east_m=FAR_M)
    assert rules(rows) == ["jump" if i == at else None for i in range(10)]


def test_a_run_of_jumps_goes_as_a_whole() -> None:
    rows = driving(*range(0, 450, 30))
    for i in (6, 7, 8):
        rows[i] = fix("v1", 30 * i, east_m=FAR_M + i)
    assert rules(rows) == ["jump" if i in (6, 7, 8) else None for i in range(15)]


def test_two_vehicles_under_one_name_leave_one_of_them() -> None:
    rows = [fix("v1", 30 * i, east_m=FAR_M * (i % 2)) for i in range(11)]
    judged = judge_sequence(arrived(rows), 15, PROBES).filter(pl.col("rule").is_null())
    assert len(judged) in (5, 6)
    assert judged["lon"].max() - judged["lon"].min() < 1e-9  # type: ignore[operator]


def test_a_step_that_stays_impossible_breaks_the_trip() -> None:
    rows = driving(*range(0, 150, 30)) + [
        fix("v1", 150 + 30 * i, east_m=FAR_M + 10 * i) for i in range(5)
    ]
    judged = judge_sequence(arrived(rows), 15, PROBES)
    assert judged["rule"].null_count() == 10
    assert judged["breaks"].to_list() == [i in (0, 5) for i in range(10)]


def test_trips_break_at_silences_and_at_vehicles() -> None:
    rows = [*driving(0, 120, 241), *driving(241, vehicle="v2")]
    assert judge_sequence(arrived(rows), 15, PROBES)["breaks"].to_list() == [
        True, False, True, True,
    ]  # fmt: skip


def standing(minutes: int, every_s: int = 60, speed: float | None = 0.0) -> list[dict[str, object]]:
    return [fix("v1", s, speed_kph=speed) for s in range(0, 60 * minutes, every_s)]


def test_a_parked_vehicle_is_known_as_such_only_when_its_slice_is_over() -> None:
    # It stands from 07:00 on; at 07:15 that is 15 minutes, so the second slice is the first
    # whose end knows.
    found = rules(standing(40))
    assert found == [None] * 15 + ["parked"] * 25


def test_who_stands_for_less_than_the_time_is_in_a_queue() -> None:
    assert rules(standing(15)) == [None] * 15
    assert "parked" not in rules(standing(40), replace(PROBES, parked_minutes=45.0))


def test_a_queue_that_creeps_is_not_parked() -> None:
    rows = [fix("v1", 60 * i, east_m=10 * i, speed_kph=1.0) for i in range(60)]
    found = rules(rows)
    assert found[20:] == [None] * 40


def test_who_drives_on_ends_his_stand() -> None:
    rows = [*standing(20), *[fix("v1", 1200 + 30 * i, east_m=50 + 250 * i) for i in range(10)]]
    assert rules(rows)[20:] == [None] * 10


def test_noisy_fixes_without_speeds_of_a_parked_vehicle_are_known() -> None:
    rng = np.random.default_rng(1)
    rows = [
        fix("v1", 5 * i, east_m=50 + e, north_m=n, speed_kph=None)
        for i, (e, n) in enumerate(rng.normal(0, 5.66, (400, 2)))
    ]
    found = rules(rows)
    assert found[:180] == [None] * 180
    assert found[180:].count("parked") > 0.9 * 220


def test_a_slow_vehicle_without_speeds_is_not_parked() -> None:
    rows = [fix("v1", 5 * i, east_m=10 * i, speed_kph=None) for i in range(400)]
    assert "parked" not in rules(rows)


MESSY = st.lists(
    st.builds(
        fix,
        st.sampled_from(["a", "b", "c"]),
        st.integers(0, 4000),
        st.sampled_from([0.0, 50.0, 100.0, 5000.0, FAR_M]),
        st.just(0.0),
        st.sampled_from([0.0, 1.0, 40.0, None]),
    ),
    max_size=60,
)


@settings(max_examples=60)
@given(MESSY)
def test_a_vehicle_fares_the_same_alone_and_among_others(rows: list[dict[str, Any]]) -> None:
    table = arrived(rows)
    together = judge_sequence(table, 15, PROBES).sort("row")
    alone = [
        judge_sequence(table.filter(pl.col("vehicle_id") == name), 15, PROBES) for name in "abc"
    ]
    assert pl.concat(alone).sort("row").equals(together)


@settings(max_examples=60)
@given(st.lists(st.booleans(), min_size=40, max_size=80))
def test_parked_never_looks_beyond_the_end_of_the_slice(stands: list[bool]) -> None:
    east, rows = 50.0, []
    for i, still in enumerate(stands):
        east += 0 if still else 400
        rows.append(fix("v1", 60 * i, east_m=east, speed_kph=0.0 if still else 24.0))
    end = (MONDAY_7 + timedelta(minutes=30)).tz_convert("UTC").to_pydatetime()
    whole = judge_sequence(arrived(rows), 15, PROBES).filter(pl.col("timestamp") < end)
    known = judge_sequence(arrived(rows).filter(pl.col("timestamp") < end), 15, PROBES)
    assert whole["rule"].to_list() == known["rule"].to_list()
