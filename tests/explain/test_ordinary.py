from dataclasses import replace
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from roadgraph.calendar import clock_features
from roadgraph.dataset.grid import SliceGrid
from roadgraph.explain.ordinary import WEEK_CLOCK, ordinary, ordinary_week
from roadgraph.schema import MEASURED_FEATURES
from tests.dataset.toy import MONDAY, grid_of, toy_dataset, toy_settings

UTC = ZoneInfo("UTC")
SLICE = pd.Timedelta(minutes=15)
PREPARATION = toy_dataset(toy_settings()).preparation
GRID = replace(
    grid_of(np.array([[10, np.nan, 30], [11, 21, np.nan]])),
    slice_starts=pd.date_range(MONDAY + pd.Timedelta(days=10, hours=8), periods=2, freq="15min"),
)


def clock_of(grid: SliceGrid) -> tuple[int, float]:
    """Return weekday and hour on the city's clock at which an ordinary week's slice begins."""
    start = grid.slice_starts[-1].tz_convert(WEEK_CLOCK)
    return start.day_of_week, start.hour + start.minute / 60


def test_an_ordinary_day_has_typical_speeds_where_something_was_observed() -> None:
    found = ordinary(GRID, PREPARATION, UTC)
    typical = PREPARATION.history.at(GRID.slice_starts, UTC)
    seen = GRID.observed
    assert np.array_equal(found.observed, seen)
    assert np.isnan(found.measured[~seen]).all()
    for feature in (0, 1):
        np.testing.assert_array_equal(found.measured[seen][:, feature], typical[seen])
    spread = np.broadcast_to(PREPARATION.fill[:, 2], seen.shape)
    np.testing.assert_array_equal(found.measured[seen][:, 2], spread[seen])
    np.testing.assert_array_equal(found.measured[seen][:, 3:], [PREPARATION.mean[3:5]] * 4)
    assert GRID.measured[0, 0, 0] == 10


def test_an_ordinary_day_differs_from_the_observed_one_in_what_was_measured_alone() -> None:
    observed, usual = (
        PREPARATION.inputs(grid, UTC) for grid in (GRID, ordinary(GRID, PREPARATION, UTC))
    )
    changed = {
        name for place, name in enumerate(PREPARATION.channels)
        if (observed[..., place] != usual[..., place]).any()
    }  # fmt: skip
    assert {"mean_speed", "median_speed"} <= changed <= set(MEASURED_FEATURES)
    # What nobody saw stays as it is: what stands in is what is usual, or an older ordinary speed.
    np.testing.assert_array_equal(observed[0, 1], usual[0, 1])
    assert PREPARATION.fill_by == "last"
    np.testing.assert_array_equal(usual[1, 2, :2], usual[0, 2, :2])


def test_an_ordinary_week_has_a_window_that_ends_at_every_whole_hour_of_the_week() -> None:
    grids = list(ordinary_week(GRID, PREPARATION, UTC))
    ends = [each.slice_starts[-1] + SLICE for each in grids]
    assert {(end.day_of_week, end.hour) for end in ends} == {
        (day, hour) for day in range(7) for hour in range(24)
    }
    assert len(grids) == 168
    assert {end.minute for end in ends} == {0}
    for each in grids:
        assert each.slice_starts[-1] - each.slice_starts[0] == SLICE
        assert np.array_equal(each.observed, GRID.observed)
    # GRID is of a Thursday; its slices begin at 08:00 and 08:15, those that end at 08:30.
    assert GRID.slice_starts[0].day_of_week == 3
    (at_nine,) = (each for each in grids if clock_of(each) == (3, 8.75))
    to_nine = replace(GRID, slice_starts=GRID.slice_starts + pd.Timedelta(minutes=30))
    expected = ordinary(to_nine, PREPARATION, UTC).measured
    np.testing.assert_array_equal(at_nine.measured, expected)


@pytest.mark.parametrize(
    ("zone", "other"),
    [
        ("UTC", "2025-07-03T11:45Z"),
        ("Europe/Berlin", "2025-07-03T11:45Z"),
        # Clocks go forward at 01:00Z, and back at 01:00Z; the second slice begins after that.
        ("Europe/Berlin", "2026-03-29T00:45Z"),
        ("Europe/Berlin", "2025-10-26T00:45Z"),
        ("Asia/Kathmandu", "2025-07-03T11:45Z"),
    ],
)
def test_an_ordinary_week_is_the_same_whenever_one_asks(zone: str, other: str) -> None:
    asked = replace(GRID, slice_starts=pd.date_range(other, periods=2, freq="15min"))
    mine, others = (
        list(ordinary_week(grid, PREPARATION, ZoneInfo(zone))) for grid in (GRID, asked)
    )
    for one, two in zip(mine, others, strict=True):
        assert one.slice_starts.equals(two.slice_starts)
        np.testing.assert_array_equal(one.measured, two.measured)
    assert clock_of(mine[9]) == (0, 8.75)


def test_where_slices_end_at_half_past_the_week_does_too() -> None:
    grid = replace(
        GRID, slice_minutes=60, slice_starts=pd.date_range(MONDAY, periods=2, freq="60min")
    )
    hourly = replace(PREPARATION, history=replace(PREPARATION.history, slice_minutes=60))
    first, second, *_ = ordinary_week(grid, hourly, ZoneInfo("Asia/Kolkata"))
    # From Sunday 23:30 to Monday 00:30, the first that ends in the week; and an hour later.
    assert (clock_of(first), clock_of(second)) == ((6, 23.5), (0, 0.5))


def test_models_see_the_citys_clock_in_an_ordinary_week() -> None:
    bangkok = ZoneInfo("Asia/Bangkok")
    grid = replace(GRID, slice_starts=pd.date_range("2026-01-19T01:30Z", periods=2, freq="15min"))
    # On Monday from 08:30 to 09:00 in Bangkok: the tenth window of the week.
    tenth = list(ordinary_week(grid, PREPARATION, bangkok))[9]
    np.testing.assert_allclose(
        clock_features(tenth.slice_starts, WEEK_CLOCK),
        clock_features(grid.slice_starts, bangkok),
        atol=1e-6,
    )
    expected = ordinary(grid, PREPARATION, bangkok).measured
    np.testing.assert_array_equal(tenth.measured, expected)
