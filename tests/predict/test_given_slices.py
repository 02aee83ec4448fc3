from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd
import pyarrow.parquet as pq
import pytest

from roadgraph.errors import DataError
from roadgraph.predict.given_slices import given_slices, slices_of_rows
from roadgraph.predict.newest_slices import newest_slices
from roadgraph.slices.store import write_days
from tests.dataset.toy import MONDAY
from tests.predict.toy import END, SLICES_TABLE, SPEED, slices_of

UTC = ZoneInfo("UTC")
FEW = slices_of(SPEED[:3])


def test_a_file_a_folder_of_files_and_a_store_give_the_same_rows(tmp_path: Path) -> None:
    pq.write_table(FEW, tmp_path / "a.parquet")
    FEW.to_pandas().to_csv(tmp_path / "b.csv", index=False)
    parts = tmp_path / "parts"
    parts.mkdir()
    pq.write_table(FEW.slice(0, 2), parts / "1.parquet")
    FEW.slice(2).to_pandas().to_csv(parts / "2.csv", index=False)
    write_days(FEW, tmp_path / "store", UTC, 15, {})
    for name in ("a.parquet", "b.csv", "parts", "store"):
        table, minutes = given_slices(tmp_path / name, 15)
        assert table.equals(FEW), name
        assert minutes == 15


def test_of_slices_of_another_length_file_and_lengths_are_named(tmp_path: Path) -> None:
    path = tmp_path / "half.csv"
    frame = FEW.to_pandas()
    frame[frame["slice_start"] != MONDAY + pd.Timedelta(minutes=15)].to_csv(path, index=False)
    with pytest.raises(DataError, match=r"half\.csv: its slices are 30 minutes apart, .* 15 min"):
        given_slices(path, 15)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mean_speed": float("nan")}, r"row 0 of the slices of .*bad\.csv .* has no mean_speed"),
        ({"count_probes": -1}, r"row 0 of .*bad\.csv .* has a negative count_probes \(-1\)"),
        ({"slice_start": "monday"}, r"slice_start of .*bad\.csv must be times"),
        ({"quality_score": "good"}, r"slices of .*bad\.csv: table 'slices'.*good"),
    ],
)
def test_a_cell_that_cannot_be_used_is_named_with_its_file(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    path = tmp_path / "bad.csv"
    FEW.to_pandas().assign(**change).to_csv(path, index=False)
    with pytest.raises(DataError, match=message):
        given_slices(path, 15)


def test_a_missing_feature_is_named_with_its_file(tmp_path: Path) -> None:
    path = tmp_path / "less.csv"
    FEW.to_pandas().drop(columns="speed_std").to_csv(path, index=False)
    with pytest.raises(DataError, match=r"slices of .*less\.csv lack speed_std \(found segment_id"):
        given_slices(path, 15)


def test_what_is_no_file_of_slices_is_refused(tmp_path: Path) -> None:
    empty, text, nothing = tmp_path / "empty", tmp_path / "a.txt", tmp_path / "none.csv"
    empty.mkdir()
    text.touch()
    FEW.to_pandas().iloc[:0].to_csv(nothing, index=False)
    broken = tmp_path / "broken.csv"
    broken.touch()
    for path, message in (
        (tmp_path / "gone", "gone are missing; name a file or a folder"),
        (empty, "no file of slices in it"),
        (text, r"slices are read from \.parquet and \.csv files"),
        (nothing, "no slice in it"),
        (broken, r"broken\.csv cannot be read"),
    ):
        with pytest.raises(DataError, match=message):
            given_slices(path, 15)


def test_a_column_of_several_kinds_is_refused() -> None:
    with pytest.raises(DataError, match="holds values of several kinds"):
        slices_of_rows(FEW.to_pandas().assign(segment_id=["A", 2, *"BCABCAB"]), "rows")


def test_of_the_store_the_days_looked_at_alone_are_read(tmp_path: Path) -> None:
    write_days(SLICES_TABLE, tmp_path, UTC, 15, {})
    at = END - pd.Timedelta(days=1)
    table = newest_slices(tmp_path, UTC, 15, at)
    assert table["slice_start"].to_pandas().max() == at - pd.Timedelta(minutes=15)
    later = newest_slices(tmp_path, UTC, 15, END + pd.Timedelta(days=60))
    assert later["slice_start"].to_pandas().max() == END - pd.Timedelta(minutes=15)
    newest = newest_slices(tmp_path, UTC, 15)
    assert newest.equals(later)


def test_empty_days_are_passed_over_to_the_newest_with_a_slice(tmp_path: Path) -> None:
    write_days(FEW, tmp_path, UTC, 15, {})
    for day in ("2026-01-20", "2026-01-21"):
        (tmp_path / day).mkdir()
        pq.write_table(FEW.slice(0, 0), tmp_path / day / "slices.parquet")
    assert newest_slices(tmp_path, UTC, 15).equals(FEW)
    assert newest_slices(tmp_path, UTC, 15, END + pd.Timedelta(days=60)).equals(FEW)


def test_before_the_first_day_there_is_no_history(tmp_path: Path) -> None:
    write_days(FEW, tmp_path, UTC, 15, {})
    for at in (MONDAY, MONDAY - pd.Timedelta(days=3)):
        with pytest.raises(DataError, match=r"no history before .* has slices from 2026-01-05"):
            newest_slices(tmp_path, UTC, 15, at)
    with pytest.raises(DataError, match="no slices yet"):
        newest_slices(tmp_path / "none", UTC, 15)
