import re
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from roadgraph.errors import DataError
from roadgraph.predict.newest_slices import newest_slices, slices_between
from roadgraph.predict.predictions import predict_at
from roadgraph.slices.store import write_days
from roadgraph.training.bundle import Bundle
from tests.dataset.toy import MONDAY
from tests.predict.toy import END, NETWORK, SLICES_TABLE, SPEED, slices_of

UTC = ZoneInfo("UTC")
FEW = slices_of(SPEED[:3])
QUARTER = pd.Timedelta(minutes=15)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toy's 100 hours, Monday 00:00 to Friday 04:00."""
    folder = tmp_path_factory.mktemp("slices")
    write_days(SLICES_TABLE, folder, UTC, 15, {})
    return folder


def span(table: pa.Table) -> tuple[pd.Timestamp, pd.Timestamp]:
    starts = table["slice_start"].to_pandas()
    return starts.min(), starts.max()


def test_a_day_before_the_time_is_read_and_nothing_after(store: Path) -> None:
    at = END - pd.Timedelta(hours=30)
    assert span(newest_slices(store, UTC, 15, 4, at)) == (at - pd.Timedelta(days=1), at - QUARTER)
    assert span(newest_slices(store, UTC, 15, 4))[0] == END - pd.Timedelta(days=1)


def test_a_model_that_looks_farther_back_than_a_day_gets_it(store: Path) -> None:
    assert span(newest_slices(store, UTC, 15, 200))[0] == END - 200 * QUARTER


def test_late_data_is_the_window_up_to_its_end(store: Path) -> None:
    late = newest_slices(store, UTC, 15, 4, END + pd.Timedelta(days=60))
    assert span(late) == (END - 4 * QUARTER, END - QUARTER)


def test_of_many_times_the_slices_from_the_first_to_the_last_are_read(store: Path) -> None:
    first, last = END - pd.Timedelta(hours=10), END - pd.Timedelta(hours=2)
    table = newest_slices(store, UTC, 15, 4, first, last)
    assert span(table) == (first - pd.Timedelta(days=1), last - QUARTER)


@pytest.mark.parametrize("hours", [-80, -30, 0, 0.5, 100])
def test_the_forecast_is_that_of_all_slices(bundle: Bundle, store: Path, hours: float) -> None:
    at = END + pd.Timedelta(hours=hours)
    slices = newest_slices(store, UTC, 15, bundle.slices, at)
    found = predict_at(bundle, NETWORK, slices, 15, at)
    assert found.equals(predict_at(bundle, NETWORK, SLICES_TABLE, 15, at))


def test_days_without_a_slice_are_passed_over_to_the_newest_with_one(tmp_path: Path) -> None:
    write_days(FEW, tmp_path, UTC, 15, {})
    for day in ("2026-01-20", "2026-01-21"):
        (tmp_path / day).mkdir()
        pq.write_table(FEW.slice(0, 0), tmp_path / day / "slices.parquet")
    assert newest_slices(tmp_path, UTC, 15, 4).equals(FEW)
    assert newest_slices(tmp_path, UTC, 15, 4, END + pd.Timedelta(days=60)).equals(FEW)


def test_before_the_first_slice_ended_the_citys_clock_says_from_when_on(tmp_path: Path) -> None:
    bangkok = ZoneInfo("Asia/Bangkok")
    write_days(FEW, tmp_path, bangkok, 15, {})  # from 07:00 to 07:45 there
    first = re.escape("2026-01-05T07:15+07:00")
    told = f"the first slice of .* ends at {first}; predict from then on \\(--at {first}\\)"
    for days, asked in ((0, "2026-01-05T07:00"), (3, "2026-01-02T07:00")):
        at = MONDAY - pd.Timedelta(days=days)
        with pytest.raises(DataError, match=rf"no history before {asked}\+07:00: {told}"):
            newest_slices(tmp_path, bangkok, 15, 4, at)
    table = newest_slices(tmp_path, bangkok, 15, 4, MONDAY + QUARTER)
    assert span(table) == (MONDAY, MONDAY)
    with pytest.raises(DataError, match="no slices yet"):
        newest_slices(tmp_path / "none", UTC, 15, 4)


@pytest.mark.parametrize("at", [None, MONDAY])
def test_days_that_hold_no_slice_at_all_are_refused(
    tmp_path: Path, at: pd.Timestamp | None
) -> None:
    for day in ("2026-01-20", "2026-01-21"):
        (tmp_path / day).mkdir()
        pq.write_table(FEW.slice(0, 0), tmp_path / day / "slices.parquet")
    with pytest.raises(DataError, match=r"holds no slice: .* from 2026-01-20 to 2026-01-21; add"):
        newest_slices(tmp_path, UTC, 15, 4, at)


def test_slices_between_two_times_are_those_that_begin_then(store: Path) -> None:
    first = MONDAY + pd.Timedelta(hours=23, minutes=45)
    table = slices_between(store, UTC, first, first + QUARTER)
    starts = table["slice_start"].to_pandas()
    assert set(starts) == {first, first + QUARTER}
    both = SLICES_TABLE.to_pandas()["slice_start"].isin([first, first + QUARTER])
    assert len(table) == both.sum()
    assert not len(slices_between(store, UTC, MONDAY - QUARTER, MONDAY - QUARTER))
