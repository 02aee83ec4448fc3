from dataclasses import replace
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from roadgraph.explain.ordinary import ordinary, ordinary_week
from roadgraph.schema import MEASURED_FEATURES
from tests.dataset.toy import MONDAY, grid_of, toy_dataset, toy_settings

UTC = ZoneInfo("UTC")
PREPARATION = toy_dataset(toy_settings()).preparation
GRID = replace(
    grid_of(np.array([[10, np.nan, 30], [11, 21, np.nan]])),
    slice_starts=pd.date_range(MONDAY + pd.Timedelta(days=10, hours=8), periods=2, freq="15min"),
)


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


def test_an_ordinary_week_goes_round_once_and_begins_where_it_ends() -> None:
    grids = list(ordinary_week(GRID, PREPARATION, UTC))
    assert len(grids) == 7 * 8
    first = ordinary(GRID, PREPARATION, UTC)
    np.testing.assert_array_equal(grids[0].measured, first.measured)
    hours = {(each.slice_starts[0].day_of_week, each.slice_starts[0].hour) for each in grids}
    assert len(hours) == len(grids)
    again = replace(GRID, slice_starts=GRID.slice_starts + pd.Timedelta(days=7))
    np.testing.assert_array_equal(ordinary(again, PREPARATION, UTC).measured, first.measured)
