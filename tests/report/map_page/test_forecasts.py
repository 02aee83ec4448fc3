from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from roadgraph.errors import DataError
from roadgraph.predict.predictions import signed
from roadgraph.predict.store import forecasts_of_days, write_forecast
from roadgraph.report.map_page.forecasts import (
    Issue,
    IssuedForecasts,
    horizons_of,
    issue_of,
    stacked,
)
from tests.report.map_page.toy import SEVEN, forecast

if TYPE_CHECKING:
    from pathlib import Path

IDS = pa.array(["A", "B", "C"])
LATER = SEVEN + pd.Timedelta("30min")
NONE = 255


def issue(table: pa.Table) -> Issue:
    return issue_of(table, IDS, "toy")


def without(table: pa.Table, *columns: str) -> pa.Table:
    """Return predictions whose columns are empty, as a model without that task leaves them."""
    for name in columns:
        place = table.column_names.index(name)
        field = table.schema.field(name)
        table = table.set_column(place, field, pa.nulls(len(table), field.type))
    return table


def test_each_number_lies_at_its_time_horizon_and_segment() -> None:
    first = forecast(
        congestion=["gridlock", "congested", "moderate", "free_flow", None, "free_flow"],
        p_gridlock=[0.9, 0.0, 1.0, 0.0124, np.nan, 0.0126],
        speed=[3.0, 4.2, 4.3, 60.0, np.nan, 127.0],
        p_rush_hour=[0.2, 0.2, 0.2, 0.7, 0.7, 0.7],
        basis=["observations"] * 3 + ["history"] * 3,
        observed=[True, False, False] * 2,
        segment_age_min=[0, 30, None] * 2,
        new_segment=[False, False, True] * 2,
    )
    arrays = stacked([issue(first), issue(forecast(LATER))], 0.5)
    assert arrays["congestion"][0].tolist() == [[0, 1, 2], [3, NONE, 3]]
    assert arrays["p_gridlock"][0].tolist() == [[180, 0, 200], [2, NONE, 3]]
    assert arrays["speed"][0].tolist() == [[6, 8, 9], [120, NONE, 254]]
    assert arrays["p_rush_hour"].tolist() == [[40, 140], [40, 40]]
    assert arrays["history_basis"].tolist() == [[0, 1], [0, 0]]
    assert arrays["seen"].tolist() == [[1, 0, 0], [1, 1, 1]]
    assert arrays["age_min"].tolist() == [[0, 30, 65535], [0, 0, 0]]
    assert arrays["new_segment"].tolist() == [0, 0, 1]
    assert arrays["speed_p90"][1].tolist() == [[100, 100, 100]] * 2
    kinds = {name: array.dtype for name, array in arrays.items()}
    assert kinds.pop("age_min") == np.uint16
    assert set(kinds.values()) == {np.dtype(np.uint8)}


def test_segments_without_a_row_have_no_answer() -> None:
    made = issue(forecast(segments=["C"], speed=[20.0, 30.0]))
    arrays = stacked([made], 0.5)
    assert arrays["speed"].tolist() == [[[NONE, NONE, 40], [NONE, NONE, 60]]]
    assert arrays["congestion"].tolist() == [[[NONE, NONE, 3]] * 2]
    assert arrays["age_min"].tolist() == [[65535, 65535, 0]]
    assert made.answered.tolist() == [False, False, True]


def test_rows_may_come_in_any_order() -> None:
    table = forecast(speed=[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    turned = table.take(pa.array([5, 2, 0, 3, 1, 4]))
    for name, array in stacked([issue(table)], 0.5).items():
        np.testing.assert_array_equal(stacked([issue(turned)], 0.5)[name], array)


def test_horizons_of_all_times_stand_beside_each_other() -> None:
    issues = [issue(forecast(horizons_min=[15, 45])), issue(forecast(LATER, horizons_min=[30]))]
    assert horizons_of(issues) == [15, 30, 45]
    assert stacked(issues, 0.5)["speed"][:, :, 0].tolist() == [[80, NONE, 80], [NONE, 80, NONE]]


def test_tasks_that_the_model_lacks_are_left_out() -> None:
    speeds = ("speed", "speed_p10", "speed_p90")
    classes = ("congestion", "p_gridlock", "p_congested", "p_moderate", "p_free_flow")
    rush = ("rush_hour", "p_rush_hour")
    names = set(stacked([issue(without(forecast(), *speeds, *rush))], 0.5))
    assert names == {*classes, "history_basis", "seen", "age_min", "new_segment"}
    names = set(stacked([issue(without(forecast(), *classes))], 0.5))
    assert names == {*speeds, "p_rush_hour", "history_basis", "seen", "age_min", "new_segment"}


def test_fastest_speed_is_that_of_any_percentile() -> None:
    assert issue(forecast(speed_p90=[50, 60, 131.5, 50, 50, np.nan])).fastest_kph == 131.5
    bare = without(forecast(), "speed", "speed_p10", "speed_p90")
    assert issue(bare).fastest_kph == 0
    by_history = forecast(
        horizons_min=(15,), speed=[30, 40, 50], speed_p10=np.nan, speed_p90=np.nan
    )
    assert issue(by_history).fastest_kph == 50


def test_an_estimate_is_for_the_slice_that_ends_at_its_time() -> None:
    made = issue(forecast(horizons_min=[0]))
    assert made.slice_minutes == 15
    assert made.target_start(0) == made.last_start == SEVEN - pd.Timedelta("15min")


def test_table_is_parted_by_time_of_issue_in_its_order() -> None:
    table = pa.concat_tables([forecast(LATER, segments=["B"]), forecast()])
    forecasts = IssuedForecasts.of_table(table)
    assert forecasts.times == (SEVEN, LATER)
    assert forecasts.read(LATER)["segment_id"].to_pylist() == ["B", "B"]
    assert len(forecasts.read(SEVEN)) == 6


def test_files_are_read_when_they_are_asked_for(tmp_path: Path) -> None:
    zone = ZoneInfo("Asia/Bangkok")
    write_forecast(tmp_path, zone, forecast(), {})
    write_forecast(tmp_path, zone, forecast(LATER), {})
    write_forecast(tmp_path, zone, forecast().slice(0, 0), {}, LATER + pd.Timedelta("1h"))
    forecasts = IssuedForecasts.of_files(forecasts_of_days(tmp_path))
    assert forecasts.times == (SEVEN, LATER)  # nobody answered at the third
    assert forecasts.read(LATER).equals(forecast(LATER))


def test_times_that_were_forecast_afterwards_are_known(tmp_path: Path) -> None:
    zone = ZoneInfo("Asia/Bangkok")
    write_forecast(tmp_path, zone, forecast(), {"hindsight": True})
    write_forecast(tmp_path, zone, forecast(LATER), {"hindsight": False})
    files = forecasts_of_days(tmp_path)
    assert IssuedForecasts.of_files(files).hindsight == {SEVEN}
    assert IssuedForecasts.of_table(pq.read_table(files[SEVEN])).hindsight == {SEVEN}
    assert IssuedForecasts.of_table(forecast()).hindsight == frozenset()
    write_forecast(tmp_path, zone, forecast(LATER), {"seen_until": SEVEN.isoformat()})
    assert LATER in IssuedForecasts.of_files(forecasts_of_days(tmp_path)).hindsight


def test_times_that_the_model_was_made_from_are_known(tmp_path: Path) -> None:
    zone = ZoneInfo("Asia/Bangkok")
    until = {"seen_until": "2026-01-05T07:15:00+07:00"}
    assert SEVEN < pd.Timestamp(until["seen_until"]) <= LATER
    write_forecast(tmp_path, zone, forecast(), until)
    write_forecast(tmp_path, zone, forecast(LATER), until)
    files = forecasts_of_days(tmp_path)
    assert IssuedForecasts.of_files(files).flattered == {SEVEN}
    assert IssuedForecasts.of_table(pq.read_table(files[SEVEN])).flattered == {SEVEN}
    table = pa.concat_tables([forecast(), forecast(LATER)])
    assert IssuedForecasts.of_table(signed(table, until)).flattered == {SEVEN}
    assert IssuedForecasts.of_table(table).flattered == frozenset()


def test_predictions_for_another_network_are_refused() -> None:
    table = forecast(segments=["A", "x4", "x3", "x2", "x1"])
    with pytest.raises(DataError, match=r"another network: 4 of their 5 .*'x1', 'x2', 'x3'\)"):
        issue(table)


def test_a_forecast_that_is_there_twice_is_refused() -> None:
    table = pa.concat_tables([forecast(), forecast(segments=["B"], horizons_min=[30])])
    with pytest.raises(DataError, match="two predictions of segment 'B' 30 minutes ahead"):
        issue(table)


def test_slices_of_two_lengths_are_refused() -> None:
    starts = [SEVEN + pd.Timedelta("15min"), SEVEN + pd.Timedelta("20min")]
    table = forecast(horizons_min=[30], segments=["A", "B"], slice_start=starts)
    with pytest.raises(DataError, match="for slices of 10 and 15 minutes"):
        issue(table)
