import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from roadgraph.errors import DataError
from roadgraph.schema import SLICES, utc_times
from roadgraph.slices.store import (
    observed_starts,
    read_manifest,
    read_slices,
    stored_slice_minutes,
    write_days,
)

BANGKOK = ZoneInfo("Asia/Bangkok")
SUNDAY, MONDAY = date(2026, 1, 4), date(2026, 1, 5)
MIDNIGHT = datetime(2026, 1, 4, 17, tzinfo=UTC)  # Monday, 00:00 in Bangkok


def slices(*after_min: int, speed: float = 30.0, segment: str = "A") -> pa.Table:
    """Return one row a slice, so many minutes after the midnight before Monday."""
    count = len(after_min)
    return SLICES.conform(
        pa.table(
            {
                "segment_id": [segment] * count,
                "slice_start": [MIDNIGHT + timedelta(minutes=minutes) for minutes in after_min],
                **{name: [speed] * count for name in ("mean_speed", "median_speed")},
                "speed_std": [0.0] * count,
                "count_probes": [1] * count,
                "quality_score": [0.5] * count,
            }
        )
    )


def write(folder: Path, table: pa.Table, slice_minutes: int = 15) -> list[date]:
    return write_days(table, folder, BANGKOK, slice_minutes, {"inputs": ["fixes.csv"]})


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*")) if path.is_file()
    }  # fmt: skip


def test_a_day_begins_at_local_midnight(tmp_path: Path) -> None:
    assert write(tmp_path, slices(-15, 0, 15, 1425)) == [SUNDAY, MONDAY]
    assert read_manifest(tmp_path, SUNDAY)["rows"] == 1
    assert read_manifest(tmp_path, MONDAY)["rows"] == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2026-01-04", "2026-01-05"]


def test_all_days_come_back_sorted_by_key(tmp_path: Path) -> None:
    table = pa.concat_tables([slices(-15, 0, segment="B"), slices(-15, 0, segment="A")])
    write(tmp_path, table)
    assert read_slices(tmp_path).equals(SLICES.conform(table))


def test_the_manifest_says_what_it_was_given_and_how_long_a_slice_is(tmp_path: Path) -> None:
    write(tmp_path, slices(0))
    assert read_manifest(tmp_path, MONDAY) == {
        "slice_minutes": 15, "rows": 1, "inputs": ["fixes.csv"],
    }  # fmt: skip
    assert stored_slice_minutes(tmp_path) == 15


def test_a_day_that_is_written_again_is_replaced_and_the_others_stay(tmp_path: Path) -> None:
    write(tmp_path, slices(-30, -15, 0, 15))
    assert write(tmp_path, slices(30, speed=50.0)) == [MONDAY]
    speeds = read_slices(tmp_path)["mean_speed"].to_pylist()
    assert speeds == [30.0, 30.0, 50.0]


def test_a_day_that_cannot_be_written_stays_as_it_was(tmp_path: Path) -> None:
    write(tmp_path, slices(0))
    before = files(tmp_path)
    with pytest.raises(TypeError, match="set"):
        write_days(slices(15), tmp_path, BANGKOK, 15, {"inputs": {"a set is no JSON"}})
    assert files(tmp_path) == before
    assert [path.name for path in tmp_path.iterdir()] == ["2026-01-05"]


def test_the_same_slices_give_the_same_bytes_whatever_their_order(tmp_path: Path) -> None:
    table = slices(-15, 0, 15, 30)
    write(tmp_path / "first", table)
    write(tmp_path / "second", table.take([3, 1, 2, 0]))
    first = files(tmp_path / "first")
    assert len(first) == 4
    assert first == files(tmp_path / "second")
    write(tmp_path / "first", table)
    assert files(tmp_path / "first") == first


def test_no_slices_write_no_day(tmp_path: Path) -> None:
    assert write(tmp_path, slices()) == []
    assert not list(tmp_path.iterdir())


def test_slices_of_another_length_are_refused_and_nothing_is_changed(tmp_path: Path) -> None:
    write(tmp_path, slices(0))
    before = files(tmp_path)
    with pytest.raises(DataError, match="holds slices of 15 minutes, not 5; set slices") as error:
        write(tmp_path, slices(5), slice_minutes=5)
    assert str(error.value).startswith(str(tmp_path))
    assert files(tmp_path) == before


def test_a_table_that_is_no_slices_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="table 'slices': column 'mean_speed' is missing"):
        write(tmp_path, slices(0).drop_columns(["mean_speed"]))


@pytest.mark.parametrize("made", [True, False])
def test_an_empty_or_missing_store_is_named_with_the_next_step(made: bool, tmp_path: Path) -> None:
    folder = tmp_path / "slices"
    if made:
        folder.mkdir()
    for read in (read_slices, stored_slice_minutes):
        with pytest.raises(DataError, match="no slices yet; make them first") as error:
            read(folder)
        assert str(folder) in str(error.value)


def test_hidden_folders_and_files_beside_the_days_are_no_days(tmp_path: Path) -> None:
    write(tmp_path, slices(0))
    (tmp_path / ".2026-01-06-half").mkdir()
    (tmp_path / "notes.txt").write_text("mine")
    assert read_slices(tmp_path).num_rows == 1


def test_a_folder_that_is_no_day_is_named(tmp_path: Path) -> None:
    write(tmp_path, slices(0))
    (tmp_path / "copy of monday").mkdir()
    with pytest.raises(DataError, match=r"copy of monday: a store of slices holds folders of days"):
        read_slices(tmp_path)


def test_a_manifest_is_readable_json(tmp_path: Path) -> None:
    write(tmp_path, slices(0))
    text = (tmp_path / "2026-01-05" / "manifest.json").read_text("utf-8")
    assert json.loads(text) == read_manifest(tmp_path, MONDAY)


@pytest.mark.parametrize("content", ["{", "{}", "[]"])
def test_a_damaged_manifest_is_an_error_that_names_it(tmp_path: Path, content: str) -> None:
    day = tmp_path / "2026-01-05"
    day.mkdir()
    (day / "manifest.json").write_text(content, "utf-8")
    with pytest.raises(DataError, match=r"manifest\.json is missing or damaged"):
        stored_slice_minutes(tmp_path)


def test_observed_starts_are_each_slice_once_in_order(tmp_path: Path) -> None:
    path = tmp_path / "2026-01-05" / "slices.parquet"
    path.parent.mkdir()
    times = pd.DatetimeIndex(["2026-01-05T02:00Z", "2026-01-05T01:00Z", "2026-01-05T02:00Z"])
    pq.write_table(pa.table({"slice_start": utc_times(times)}), path)
    found = observed_starts(tmp_path, date(2026, 1, 5))
    assert found.tolist() == [times[1], times[0]]
    path.write_bytes(b"no Parquet")
    with pytest.raises(DataError, match=r"slices\.parquet is damaged"):
        observed_starts(tmp_path, date(2026, 1, 5))
