from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from roadgraph.errors import DataError
from roadgraph.predict.predictions import predict_at
from roadgraph.predict.store import (
    forecast_path,
    read_forecast,
    read_forecasts,
    read_manifest,
    stored_times,
    write_forecast,
)
from roadgraph.schema import PREDICTIONS
from roadgraph.training.bundle import Bundle
from tests.predict.toy import END, NETWORK, SLICES_TABLE

BANGKOK = ZoneInfo("Asia/Bangkok")
MANIFEST = {"depends_on": {"data": "a"}, "data_age_min": 0}
NIGHT = pd.Timestamp("2026-01-08T17:00Z")
"""Midnight in Bangkok, at which the 9th begins."""


@pytest.fixture(scope="module")
def tables(bundle: Bundle) -> list[pa.Table]:
    times = (NIGHT - pd.Timedelta(minutes=15), NIGHT, END)
    return [predict_at(bundle, NETWORK, SLICES_TABLE, 15, time) for time in times]


def test_a_forecast_lies_under_its_local_day_and_comes_back(
    tables: list[pa.Table], tmp_path: Path
) -> None:
    paths = [write_forecast(tmp_path, BANGKOK, table, MANIFEST) for table in tables]
    assert [path.relative_to(tmp_path).as_posix() for path in paths] == [
        "2026-01-08/20260108T1645Z.parquet",
        "2026-01-09/20260108T1700Z.parquet",
        "2026-01-09/20260109T0400Z.parquet",
    ]
    assert read_forecast(paths[0]).equals(tables[0])
    assert read_manifest(paths[0]) == MANIFEST
    assert stored_times(tmp_path) == [NIGHT - pd.Timedelta(minutes=15), NIGHT, END]
    assert stored_times(tmp_path, date(2026, 1, 9), date(2026, 1, 9)) == [NIGHT, END]
    assert read_forecasts(tmp_path).equals(PREDICTIONS.conform(pa.concat_tables(tables)))
    assert not (tmp_path / "2026-01-09" / "as_issued").exists()


def test_repetitions_are_looked_for_in_columns_that_have_them(
    tables: list[pa.Table], tmp_path: Path
) -> None:
    path = write_forecast(tmp_path, BANGKOK, tables[0], MANIFEST)
    group = pq.read_metadata(path).row_group(0)
    columns = [group.column(place) for place in range(group.num_columns)]
    spelt_once = {column.path_in_schema: column.has_dictionary_page for column in columns}
    assert not spelt_once["speed"]
    assert not spelt_once["p_gridlock"]
    assert spelt_once["segment_id"]
    assert spelt_once["model"]


def test_made_again_what_was_said_first_is_kept_and_never_changed(
    tables: list[pa.Table], tmp_path: Path
) -> None:
    said = [tables[1].slice(0, rows) for rows in (3, 6, 9)]
    first = write_forecast(tmp_path, BANGKOK, said[0], MANIFEST).read_bytes()
    for table in said[1:]:
        path = write_forecast(tmp_path, BANGKOK, table, MANIFEST)
        assert (path.parent / "as_issued" / path.name).read_bytes() == first
    assert read_forecasts(tmp_path).equals(said[2])
    assert read_forecasts(tmp_path, as_issued=True).equals(said[0])


def test_a_damaged_forecast_is_not_kept_as_what_was_said_first(
    tables: list[pa.Table], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_forecast(tmp_path, BANGKOK, tables[1], MANIFEST)
    path.write_bytes(path.read_bytes()[:-100])
    write_forecast(tmp_path, BANGKOK, tables[1].slice(0, 3), MANIFEST)
    assert not (path.parent / "as_issued").exists()
    assert f"{path} is damaged" in caplog.text
    assert read_forecasts(tmp_path, as_issued=True).equals(tables[1].slice(0, 3))


def test_where_what_was_said_first_is_damaged_the_newer_forecast_stands_for_it(
    tables: list[pa.Table], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for rows in (3, 6):
        path = write_forecast(tmp_path, BANGKOK, tables[1].slice(0, rows), MANIFEST)
    first = path.parent / "as_issued" / path.name
    first.write_bytes(b"PAR1")
    assert read_forecasts(tmp_path, as_issued=True).equals(tables[1].slice(0, 6))
    assert f"{first} is damaged" in caplog.text
    path.write_bytes(b"PAR1")
    with pytest.raises(DataError, match=r"2026-01-09/20260108T1700Z\.parquet is damaged"):
        read_forecasts(tmp_path, as_issued=True)


def test_a_forecast_without_a_row_is_stored_under_its_time(
    tables: list[pa.Table], tmp_path: Path
) -> None:
    path = write_forecast(tmp_path, BANGKOK, tables[1].slice(0, 0), MANIFEST, NIGHT)
    assert path == forecast_path(tmp_path, BANGKOK, NIGHT)
    assert (len(read_forecast(path)), read_manifest(path)) == (0, MANIFEST)
    assert stored_times(tmp_path) == [NIGHT]
    with pytest.raises(DataError, match=r"of one time of issue \(found 0\)"):
        write_forecast(tmp_path, BANGKOK, tables[1].slice(0, 0), MANIFEST)
    with pytest.raises(DataError, match=r"of one time of issue \(found 2\)"):
        write_forecast(tmp_path, BANGKOK, tables[1], MANIFEST, END)


def test_the_same_forecast_gives_the_same_bytes(tables: list[pa.Table], tmp_path: Path) -> None:
    written = [
        write_forecast(tmp_path / name, BANGKOK, tables[0], manifest).read_bytes()
        for name, manifest in (("a", MANIFEST), ("b", dict(reversed(MANIFEST.items()))))
    ]
    assert written[0] == written[1]


def test_an_empty_store_has_no_forecast(tmp_path: Path) -> None:
    assert stored_times(tmp_path / "none") == []
    assert read_forecasts(tmp_path / "none").num_rows == 0


def test_what_lies_there_beside_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "20260108T1645Z.parquet").touch()
    (tmp_path / "2026-01-08").mkdir()
    (tmp_path / "2026-01-08" / ".20260108T1645Z-abc.parquet").touch()
    assert stored_times(tmp_path) == []


def test_forecasts_of_several_times_are_refused(tables: list[pa.Table], tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"of one time of issue \(found 2\)"):
        write_forecast(tmp_path, BANGKOK, pa.concat_tables(tables[:2]), MANIFEST)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = forecast_path(tmp_path, BANGKOK, NIGHT)
    path.parent.mkdir()
    path.write_bytes(b"PAR1")
    with pytest.raises(DataError, match=r"20260108T1700Z\.parquet is damaged"):
        read_manifest(path)
    with pytest.raises(DataError, match=r"20260108T1700Z\.parquet is damaged"):
        read_forecast(path)
