from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from roadgraph.errors import DataError
from roadgraph.predict.given_slices import given_slices, is_store, slices_of_rows
from roadgraph.slices.store import write_days
from tests.dataset.toy import MONDAY
from tests.predict.toy import SPEED, slices_of

UTC = ZoneInfo("UTC")
FEW = slices_of(SPEED[:3])


def test_a_file_and_a_folder_of_files_give_the_same_rows(tmp_path: Path) -> None:
    pq.write_table(FEW, tmp_path / "a.parquet")
    FEW.to_pandas().to_csv(tmp_path / "b.csv", index=False)
    parts = tmp_path / "parts"
    parts.mkdir()
    pq.write_table(FEW.slice(0, 2), parts / "1.parquet")
    FEW.slice(2).to_pandas().to_csv(parts / "2.csv", index=False)
    for name in ("a.parquet", "b.csv", "parts"):
        assert given_slices(tmp_path / name, 15).equals(FEW), name


def test_a_folder_of_days_is_a_store(tmp_path: Path) -> None:
    write_days(FEW, tmp_path / "store", UTC, 15, {})
    (tmp_path / "parts").mkdir()
    found = [is_store(tmp_path / name) for name in ("store", "parts", "gone")]
    assert found == [True, False, False]


def test_sparse_slices_are_not_taken_for_longer_ones(tmp_path: Path) -> None:
    path = tmp_path / "sparse.csv"
    frame = FEW.to_pandas().iloc[:2]
    starts = pd.DatetimeIndex(["2026-01-05T02:00Z", "2026-01-05T02:45Z"])
    frame.assign(slice_start=starts).to_csv(path, index=False)
    assert given_slices(path, 15)["slice_start"].to_pandas().tolist() == starts.tolist()


def test_of_slices_of_another_length_file_and_lengths_are_named(tmp_path: Path) -> None:
    long, short = tmp_path / "long.csv", tmp_path / "short.csv"
    hours = slices_of(np.where(np.arange(30)[:, None] % 4 == 0, SPEED[:30], np.nan))
    hours.to_pandas().to_csv(long, index=False)
    with pytest.raises(DataError, match=r"long\.csv: its slices are 60 minutes apart, .* 15 min"):
        given_slices(long, 15)
    frame = FEW.to_pandas()
    frame.loc[1, "slice_start"] = MONDAY + pd.Timedelta(minutes=5)
    frame.to_csv(short, index=False)
    with pytest.raises(DataError, match=r"short\.csv: a slice begins at .*T00:05.* 15 minutes"):
        given_slices(short, 15)


def test_a_segment_may_be_called_na_and_must_be_called_something(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    frame = FEW.to_pandas()
    frame["segment_id"] = frame["segment_id"].replace({"A": "NA", "B": "007"})
    frame.to_csv(path, index=False)
    assert set(given_slices(path, 15)["segment_id"].to_pylist()) == {"NA", "007", "C"}
    frame.assign(segment_id="").to_csv(path, index=False)
    with pytest.raises(DataError, match=r"row 0 of .*a\.csv .* has no segment_id"):
        given_slices(path, 15)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("mean_speed", "", "has no mean_speed"),
        ("mean_speed", "inf", r"has an infinite mean_speed \(inf\)"),
        ("median_speed", "-inf", r"has an infinite median_speed \(-inf\)"),
        ("count_probes", -1, r"has a negative count_probes \(-1\)"),
        ("count_probes", 2.5, "has the count_probes 2.5, which is no whole number"),
        ("quality_score", "good", "has the quality_score 'good', which is no number"),
    ],
)
def test_a_cell_that_cannot_be_used_is_named_with_its_file_and_row(
    tmp_path: Path, column: str, value: object, message: str
) -> None:
    path = tmp_path / "bad.csv"
    frame = FEW.to_pandas().astype({column: object})
    frame.loc[5, column] = value
    frame.to_csv(path, index=False)
    with pytest.raises(DataError, match=rf"row 5 of the slices of .*bad\.csv \(from 0\) {message}"):
        given_slices(path, 15)


def test_a_text_that_is_no_time_is_named_with_its_file_and_row(tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    frame = FEW.to_pandas().astype({"slice_start": str})
    frame.loc[5, "slice_start"] = "monday"
    frame.to_csv(path, index=False)
    with pytest.raises(
        DataError,
        match=r"slice_start of .*bad\.csv must be times such as .*Z; row 5 .* has 'monday'$",
    ):
        given_slices(path, 15)


def test_a_text_in_a_long_file_is_found(tmp_path: Path) -> None:
    # pandas reads long files by parts, whose columns may come out of different kinds.
    rows = 150_000
    frame = FEW.to_pandas().iloc[[0]].loc[[0] * rows].assign(mean_speed="30.5")
    frame = frame.reset_index(drop=True)
    frame.loc[rows - 1, "mean_speed"] = "fast"
    path = tmp_path / "long.csv"
    frame.to_csv(path, index=False)
    with pytest.raises(
        DataError, match=r"row 149999 of .* has the mean_speed 'fast', which is no n"
    ):
        given_slices(path, 15)


def test_what_a_text_column_says_is_no_number_is_none(tmp_path: Path) -> None:
    path = tmp_path / "texts.parquet"
    frame = FEW.to_pandas().assign(speed_std="1.5")
    frame.to_parquet(path)
    assert given_slices(path, 15)["speed_std"].to_pylist() == [1.5] * 9
    frame.loc[5, "speed_std"] = "nan"
    frame.to_parquet(path)
    with pytest.raises(DataError, match=r"row 5 of .*texts\.parquet \(from 0\) has no speed_std"):
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
    with pytest.raises(DataError, match="segment_id of rows holds values of several kinds"):
        slices_of_rows(FEW.to_pandas().assign(segment_id=["A", 2, *"BCABCAB"]), "rows")
