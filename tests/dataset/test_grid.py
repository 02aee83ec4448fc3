import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from roadgraph.dataset.grid import grid_from_places, grid_from_slices, speeds_on_grid
from roadgraph.errors import DataError
from roadgraph.schema import SLICES
from tests.dataset.toy import MONDAY, grid_of


def slices(*rows: tuple[str, int, float]) -> pa.Table:
    """Make a table of (segment, minutes after midnight, speed)."""
    frame = pd.DataFrame(rows, columns=["segment_id", "minute", "mean_speed"])
    frame["slice_start"] = MONDAY + pd.to_timedelta(frame["minute"], unit="min")
    frame = frame.assign(median_speed=1.0, speed_std=2.0, count_probes=3, quality_score=0.5)
    return SLICES.conform(pa.Table.from_pandas(frame, preserve_index=False))


def test_rows_land_in_their_cells_and_the_rest_is_not_observed() -> None:
    grid = grid_from_slices(slices(("b", 0, 10), ("a", 30, 20)), ["a", "b"], 15)
    assert list(grid.slice_starts) == [MONDAY + pd.Timedelta(minutes=m) for m in (0, 15, 30)]
    np.testing.assert_array_equal(grid.observed, [[0, 1], [0, 0], [1, 0]])
    np.testing.assert_array_equal(
        grid.measured[2, 0], np.array([20, 1, 2, 3, 0.5], dtype=np.float32)
    )
    assert np.isnan(grid.speed_kph[~grid.observed]).all()


def test_a_segment_outside_the_network_is_an_error_that_names_it() -> None:
    with pytest.raises(DataError, match="segment 'ghost', which the network does not have"):
        grid_from_slices(slices(("ghost", 0, 10)), ["a"], 15)


def test_rows_whose_segments_were_looked_up_give_the_same_grid() -> None:
    table = slices(("b", 0, 10), ("a", 30, 20))
    assert table["segment_id"].to_pylist() == ["a", "b"]
    looked_up = grid_from_places(table, np.array([0, 1], dtype=np.int32), ("a", "b"), 15)
    grid = grid_from_slices(table, ["a", "b"], 15)
    assert looked_up.segment_ids == grid.segment_ids
    np.testing.assert_array_equal(looked_up.observed, grid.observed)
    np.testing.assert_array_equal(looked_up.measured, grid.measured)


def test_a_row_without_a_place_is_an_error_that_names_its_segment() -> None:
    table = slices(("a", 0, 10), ("ghost", 0, 10))
    with pytest.raises(DataError, match="segment 'ghost', which the network does not have"):
        grid_from_places(table, np.array([0, -1]), ("a",), 15)


def test_no_slice_at_all_is_an_error() -> None:
    with pytest.raises(DataError, match="no slice"):
        grid_from_slices(slices().slice(0, 0), ["a"], 15)


def test_a_time_off_the_clock_is_an_error_that_names_it() -> None:
    with pytest.raises(DataError, match=r"00:05:00.* is off the clock of 15-minute slices"):
        grid_from_slices(slices(("a", 0, 10), ("a", 5, 10)), ["a"], 15)


def test_two_rows_for_one_cell_are_an_error_that_names_the_cell() -> None:
    with pytest.raises(DataError, match=r"two slices of segment 'a' at .*00:15:00.*leave all but"):
        grid_from_slices(slices(("a", 0, 10), ("a", 15, 10), ("a", 15, 12)), ["a"], 15)


def test_a_grid_of_some_places_has_their_columns_in_that_order() -> None:
    grid = grid_of(np.array([[1, 2, np.nan], [4, 5, 6]]))
    part = grid.at_places(np.array([2, 0]))
    assert part.segment_ids == ("s2", "s0")
    np.testing.assert_array_equal(part.speed_kph, [[np.nan, 1], [6, 4]])
    assert part.observed.tolist() == [[False, True], [True, True]]
    assert part.slice_starts is grid.slice_starts


def test_truth_is_laid_over_the_grid_and_strangers_are_left_out() -> None:
    grid = grid_of(np.zeros((2, 2)))
    truth = slices(("s1", 15, 7.0), ("s0", 90, 8.0), ("ghost", 0, 9.0))
    speeds = speeds_on_grid(truth, grid)
    np.testing.assert_array_equal(speeds, [[np.nan, np.nan], [np.nan, 7.0]])
