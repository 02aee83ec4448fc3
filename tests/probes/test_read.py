import gzip
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from roadgraph.errors import DataError, SettingsError
from roadgraph.probes.read import fix_files, read_fixes
from roadgraph.schema import FIXES
from roadgraph.settings import ProbesSettings
from tests.toy import drive, write_fixes

SETTINGS = ProbesSettings()
SEVEN = datetime(2026, 1, 5, 0, 0, tzinfo=UTC)  # 07:00 in Bangkok


def csv(folder: Path, *timestamps: str) -> Path:
    """Write one fix a timestamp."""
    rows = "".join(f"v1,{time},13.8,100.6\n" for time in timestamps)
    path = folder / "fixes.csv"
    path.write_text(f"vehicle_id,timestamp,lat,lon\n{rows}")
    return path


def times(path: Path, timezone: str = "") -> list[datetime | None]:
    return read_fixes(path, ProbesSettings(timezone=timezone))["timestamp"].to_list()


def refused(path: Path, settings: ProbesSettings = SETTINGS) -> str:
    with pytest.raises(DataError) as error:
        read_fixes(path, settings)
    assert str(path) in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("name", ["fixes.csv", "fixes.parquet"])
def test_fixes_come_back_as_they_were_written(name: str, tmp_path: Path) -> None:
    fixes = drive()
    found = read_fixes(write_fixes(fixes, tmp_path / name), SETTINGS)
    assert found.columns == FIXES.columns
    assert_frame_equal(found, fixes)


def test_a_compressed_csv_is_read(tmp_path: Path) -> None:
    path = tmp_path / "fixes.csv.gz"
    path.write_bytes(gzip.compress(csv(tmp_path, "2026-01-05T00:00:00Z").read_bytes()))
    assert times(path) == [SEVEN]


def test_columns_may_stand_in_any_order_with_others_between_them(tmp_path: Path) -> None:
    path = tmp_path / "fixes.csv"
    path.write_text("note,lon,lat,timestamp,vehicle_id\nx,100.6,13.8,2026-01-05T00:00:00Z,v1\n")
    fixes = read_fixes(path, SETTINGS)
    assert fixes.rows() == [("v1", SEVEN, 13.8, 100.6, None, None)]


def test_columns_of_other_names_are_mapped_and_numeric_vehicles_become_text(tmp_path: Path) -> None:
    path = tmp_path / "fixes.csv"
    path.write_text("taxi,gpstime,y,x,v\n17,2026-01-05T00:00:00Z,13.8,100.6,36\n")
    columns = {"vehicle_id": "taxi", "timestamp": "gpstime", "lat": "y", "lon": "x"}
    settings = ProbesSettings(columns={**columns, "speed_kph": "v"})
    assert read_fixes(path, settings).rows() == [("17", SEVEN, 13.8, 100.6, 36.0, None)]


def test_a_mapped_column_takes_the_place_of_one_that_has_our_name(tmp_path: Path) -> None:
    path = tmp_path / "fixes.csv"
    path.write_text("vehicle_id,taxi,timestamp,lat,lon\nrow1,v1,2026-01-05T00:00:00Z,13.8,100.6\n")
    fixes = read_fixes(path, ProbesSettings(columns={"vehicle_id": "taxi"}))
    assert fixes["vehicle_id"].to_list() == ["v1"]


def test_two_columns_can_swap_their_names(tmp_path: Path) -> None:
    path = tmp_path / "fixes.csv"
    path.write_text("vehicle_id,timestamp,lat,lon\nv1,2026-01-05T00:00:00Z,100.6,13.8\n")
    fixes = read_fixes(path, ProbesSettings(columns={"lat": "lon", "lon": "lat"}))
    assert fixes.select("lat", "lon").rows() == [(13.8, 100.6)]


def test_a_mapping_of_a_column_that_the_file_lacks_is_an_error_that_names_it(
    tmp_path: Path,
) -> None:
    path = csv(tmp_path, "2026-01-05T00:00:00Z")
    with pytest.raises(DataError, match=r"column 'taxi', which probes\.columns\.vehicle_id names"):
        read_fixes(path, ProbesSettings(columns={"vehicle_id": "taxi"}))


def test_a_mapping_of_a_column_that_fixes_do_not_have_is_an_error_that_names_the_nearest(
    tmp_path: Path,
) -> None:
    path = csv(tmp_path, "2026-01-05T00:00:00Z")
    with pytest.raises(DataError, match=r"probes\.columns\.sped_kph: .* did you mean 'speed_kph'"):
        read_fixes(path, ProbesSettings(columns={"sped_kph": "v"}))


def test_values_that_are_no_number_become_missing(tmp_path: Path) -> None:
    path = tmp_path / "fixes.csv"
    path.write_text(
        "vehicle_id,timestamp,lat,lon,speed_kph\n"
        "v1,2026-01-05T00:00:00Z,north,100.6,\n"
        "v1,2026-01-05T00:00:00Z,13.8,100.6,fast\n"
    )
    assert read_fixes(path, SETTINGS).select("lat", "speed_kph").rows() == [
        (None, None),
        (13.8, None),
    ]


@pytest.mark.parametrize(
    "time",
    [
        "2026-01-05T00:00:00Z",
        "2026-01-05T00:00Z",
        "2026-01-05T07:00:00+07:00",
        "2026-01-05T07:00:00+0700",
        "2026-01-05 07:00:00+07:00",
        "2026-01-04T19:00:00-05:00",
        "2026-01-05T05:30:00.000+05:30",
    ],
)
def test_a_time_with_its_zone_becomes_utc_whatever_the_setting_says(
    time: str, tmp_path: Path
) -> None:
    path = csv(tmp_path, time)
    assert times(path) == [SEVEN]
    assert times(path, "Europe/Berlin") == [SEVEN]


def test_one_file_may_mix_zones_and_fractions_of_seconds(tmp_path: Path) -> None:
    mixed = ("2026-01-05T07:00:00+07:00", "2026-01-05T00:00:00Z", "2026-01-05T07:00:00.25+07:00")
    fraction = SEVEN.replace(microsecond=250_000)
    assert times(csv(tmp_path, *mixed)) == [SEVEN, SEVEN, fraction]
    assert times(csv(tmp_path, *mixed[::-1])) == [fraction, SEVEN, SEVEN]
    assert times(csv(tmp_path, mixed[1], mixed[0])) == [SEVEN, SEVEN]


def test_a_time_that_is_none_becomes_missing_also_in_the_first_row(tmp_path: Path) -> None:
    path = csv(tmp_path, "yesterday", "2026-01-05T07:00:00+07:00", "", "2026-13-05T07:00:00+07:00")
    assert times(path) == [None, SEVEN, None, None]


@pytest.mark.parametrize("timezone", ["", "Asia/Bangkok"])
def test_among_times_with_a_zone_one_without_becomes_missing(timezone: str, tmp_path: Path) -> None:
    zoned, naive = "2026-01-05T07:00:00+07:00", "2026-01-05T07:00:00"
    assert times(csv(tmp_path, zoned, naive), timezone) == [SEVEN, None]
    assert times(csv(tmp_path, naive, zoned), timezone) == [None, SEVEN]


def test_times_without_a_zone_are_refused_unless_the_setting_gives_one(tmp_path: Path) -> None:
    path = csv(tmp_path, "2026-01-05T07:00:00", "2026-01-05T07:00:00.5")
    message = refused(path)
    assert "column 'timestamp' has no time zone" in message
    assert "set probes.timezone" in message
    assert times(path, "Asia/Bangkok") == [SEVEN, SEVEN.replace(microsecond=500_000)]


def test_parquet_times_without_a_zone_are_refused_unless_the_setting_gives_one(
    tmp_path: Path,
) -> None:
    naive = drive().with_columns(
        pl.col("timestamp").dt.convert_time_zone("Asia/Bangkok").dt.replace_time_zone(None)
    )
    path = write_fixes(naive, tmp_path / "fixes.parquet")
    assert "column 'timestamp' has no time zone" in refused(path)
    assert times(path, "Asia/Bangkok") == drive()["timestamp"].to_list()


@pytest.mark.parametrize("unit", ["ms", "ns"])
def test_parquet_times_of_another_zone_and_unit_become_utc(unit: str, tmp_path: Path) -> None:
    kind = pl.Datetime(unit, "America/New_York")  # type: ignore[arg-type]
    path = write_fixes(drive().with_columns(pl.col("timestamp").cast(kind)), tmp_path / "f.parquet")
    assert_frame_equal(read_fixes(path, SETTINGS), drive())


def test_the_hour_that_comes_twice_is_its_first_and_the_one_that_is_skipped_is_missing(
    tmp_path: Path,
) -> None:
    path = csv(tmp_path, "2026-10-25T02:30:00", "2026-03-29T02:30:00", "2026-03-29T03:30:00")
    assert times(path, "Europe/Berlin") == [
        datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
        None,
        datetime(2026, 3, 29, 1, 30, tzinfo=UTC),
    ]


def test_a_zone_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no time zone 'Mars'"):
        times(csv(tmp_path, "2026-01-05T07:00:00"), "Mars")


def test_numbers_in_the_place_of_times_are_refused(tmp_path: Path) -> None:
    assert "column 'timestamp' holds Int64, no times" in refused(csv(tmp_path, "1767571200"))


def test_an_empty_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "fixes.csv"
    path.touch()
    assert refused(path) == f"{path} is empty"


def test_a_file_of_a_header_alone_is_named(tmp_path: Path) -> None:
    assert refused(csv(tmp_path)).endswith("no fix in it")


@pytest.mark.parametrize(
    ("name", "content"),
    [("f.parquet", b"no table"), ("f.csv", b"vehicle_id,lat\n\xff\xfe,1\n"), ("f.csv", b"\n\n")],
)
def test_a_file_that_cannot_be_read_is_named(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    assert "cannot be read as fixes: " in refused(tmp_path / name)


@pytest.mark.parametrize("column", ["vehicle_id", "timestamp", "lat", "lon"])
def test_a_missing_column_is_named_with_those_found_and_how_to_map_it(
    column: str, tmp_path: Path
) -> None:
    message = refused(write_fixes(drive().rename({column: f"{column}_x"}), tmp_path / "f.csv"))
    assert f"column '{column}' is missing (found " in message
    assert f"did you mean '{column}_x'?" in message
    assert f"Map it with probes.columns.{column}=NAME" in message


def test_files_of_a_folder_come_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name in ("b.csv", "a.parquet", "c.csv.gz", "notes.txt"):
        (tmp_path / name).touch()
    assert [path.name for path in fix_files(tmp_path)] == ["a.parquet", "b.csv", "c.csv.gz"]
    assert fix_files(tmp_path / "notes.txt") == [tmp_path / "notes.txt"]


def test_a_missing_folder_of_fixes_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"fixes .*nothere are missing; set city\.fixes"):
        fix_files(tmp_path / "nothere")


def test_a_folder_without_fixes_is_named_with_the_formats(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(DataError, match=r"no file of fixes .*\.parquet, \.csv, \.csv\.gz") as error:
        fix_files(tmp_path)
    assert str(error.value).startswith(str(tmp_path))


def test_an_id_of_digits_keeps_its_zeros(tmp_path: Path) -> None:
    path = tmp_path / "fixes.csv"
    path.write_text(
        "vehicle_id,timestamp,lat,lon\n007,2026-01-05T00:00:00Z,13.8,100.6\n"
        "7,2026-01-05T00:00:00Z,13.8,100.6\n"
    )
    assert read_fixes(path, SETTINGS)["vehicle_id"].to_list() == ["007", "7"]
