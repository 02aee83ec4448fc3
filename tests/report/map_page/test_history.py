from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from roadgraph.errors import DataError
from roadgraph.predict.observations import Observations
from roadgraph.report.map_page.forecasts import Issue, issue_of
from roadgraph.report.map_page.history import MapHistory, history_of, slices_around
from roadgraph.slices.store import write_days
from tests.report.map_page.toy import SEVEN, forecast, slices

if TYPE_CHECKING:
    from pathlib import Path

BANGKOK = ZoneInfo("Asia/Bangkok")
IDS = pa.array(["A", "B", "C"])
DAY = 24 * 60
SEEN = [("A", -DAY, 50.0), ("B", -15, 30.0), ("C", 0, 20.0), ("A", 15, 10.0)]
"""The first slice of the day before, the one that ended at SEVEN, and both slices after it."""


def issues(*after_min: int) -> list[Issue]:
    times = [SEVEN + pd.Timedelta(minutes=after) for after in after_min]
    return [issue_of(forecast(time), IDS, "toy") for time in times]


def history(rows: list[tuple[str, int, float]], *after_min: int) -> MapHistory:
    observations = Observations.of(slices(rows), IDS, 15) if rows else None
    return history_of(observations, issues(*after_min))


def test_history_begins_a_day_before_and_ends_with_the_truth() -> None:
    found = history(SEEN, 0)
    assert found.begin == SEVEN - pd.Timedelta("24h")
    assert found.speed_kph.shape == (98, 3)
    time, segment = np.nonzero(~np.isnan(found.speed_kph))
    assert time.tolist() == [0, 95, 96, 97]
    assert segment.tolist() == [0, 1, 2, 0]
    assert found.speed_kph[time, segment].tolist() == [50, 30, 20, 10]
    assert found.last_slice.tolist() == [95]
    assert found.target_slice.tolist() == [[96, 97]]
    assert found.starts[97] == SEVEN + pd.Timedelta("15min")


def test_truth_that_has_not_come_in_is_outside() -> None:
    assert history(SEEN[:3], 0).target_slice.tolist() == [[96, -1]]
    assert history(SEEN[:2], 0).target_slice.tolist() == [[-1, -1]]
    stale = history(SEEN[:1], 0)
    assert stale.speed_kph.shape == (1, 3)
    assert stale.last_slice.tolist() == [95]


def test_slices_before_and_after_are_left_out() -> None:
    found = history([("A", -DAY - 15, 99.0), *SEEN, ("B", 30, 98.0)], 0)
    assert found.speed_kph.shape == (98, 3)
    assert np.nanmax(found.speed_kph) == 50


def test_slices_of_segments_that_are_gone_are_left_out() -> None:
    found = history([("gone", 0, 99.0), *SEEN], 0)
    assert np.nanmax(found.speed_kph) == 50


def test_several_times_share_one_history() -> None:
    found = history(SEEN, 0, 15)
    assert found.last_slice.tolist() == [95, 96]
    assert found.target_slice.tolist() == [[96, 97], [97, -1]]


def test_nothing_observed_is_no_slice() -> None:
    found = history([], 0)
    assert found.speed_kph.shape == (0, 3)
    assert found.target_slice.tolist() == [[-1, -1]]
    assert len(found.starts) == 0
    assert found.fastest_kph == 0


def test_thinned_history_keeps_the_truth_and_what_a_forecast_began_from() -> None:
    rows = [("A", -15 * back, 40.0 + back) for back in range(1, 6)] + SEEN[2:]
    found = history(rows, 0)
    np.testing.assert_array_equal(found.thinned(1).speed_kph, found.speed_kph)
    thin = found.thinned(2)
    seen = np.flatnonzero(~np.isnan(thin.speed_kph).all(axis=1))
    assert seen.tolist() == [91, 93, 95, 96, 97]
    assert thin.speed_kph[95, 0] == 41
    assert thin.target_slice.tolist() == [[96, 97]]


def test_store_gives_the_slices_of_the_day_before_and_of_the_forecasts(tmp_path: Path) -> None:
    rows = [("A", -DAY - 15, 99.0), *SEEN, ("B", 90, 97.0), ("B", 105, 98.0)]
    write_days(slices(rows), tmp_path, BANGKOK, 15, {})
    table = slices_around(tmp_path, BANGKOK, [SEVEN + pd.Timedelta("30min"), SEVEN], 60)
    speeds = sorted(table["mean_speed"].to_pylist())
    assert speeds == [10, 20, 30, 50, 97]


def test_store_that_is_not_there_gives_nothing(tmp_path: Path) -> None:
    assert len(slices_around(tmp_path / "slices", BANGKOK, [SEVEN], 60)) == 0


def test_forecasts_for_slices_of_different_lengths_have_no_history() -> None:
    later = SEVEN + pd.Timedelta("15min")
    of_5_min = forecast(later, horizons_min=[15], slice_start=later + pd.Timedelta("10min"))
    mixed = [*issues(0), issue_of(of_5_min, IDS, "toy")]
    with pytest.raises(DataError, match="slices of 5 and 15 minutes"):
        history_of(None, mixed)
