from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from roadgraph.errors import DataError, SettingsError
from roadgraph.schema import SLICES
from roadgraph.settings import CitySettings
from roadgraph.slices.detectors import read_detector_speeds
from roadgraph.units import KPH_PER_MPH

CITY = CitySettings(
    source="detectors", timezone="America/Los_Angeles", speeds_start="2012-03-01T00:00"
)
START = datetime(2012, 3, 1, 8, tzinfo=UTC)  # 8 hours behind UTC


def write(folder: Path, content: str | bytes) -> Path:
    path = folder / "speed.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def refused(path: Path, city: CitySettings = CITY) -> str:
    with pytest.raises(DataError) as error:
        read_detector_speeds(path, city, 5)
    return str(error.value)


def test_every_cell_is_a_slice_of_one_probe_with_quality_1(tmp_path: Path) -> None:
    found = read_detector_speeds(write(tmp_path, "d2,d1\n50,60\n51,61\n"), CITY, 5)
    assert found.schema == SLICES.schema
    assert found["segment_id"].to_pylist() == ["d1", "d1", "d2", "d2"]
    later = START + timedelta(minutes=5)
    assert found["slice_start"].to_pylist() == [START, later, START, later]
    assert found["mean_speed"].to_pylist() == [60, 61, 50, 51]
    assert found["median_speed"].to_pylist() == [60, 61, 50, 51]
    assert found["speed_std"].to_pylist() == [0] * 4
    assert found["count_probes"].to_pylist() == [1] * 4
    assert found["quality_score"].to_pylist() == [1] * 4


def test_empty_cells_are_not_observed(tmp_path: Path) -> None:
    found = read_detector_speeds(write(tmp_path, "d1,d2\n50,\n,61\n"), CITY, 5)
    assert found["segment_id"].to_pylist() == ["d1", "d2"]
    assert found["mean_speed"].to_pylist() == [50, 61]
    assert found["slice_start"].to_pylist() == [START, START + timedelta(minutes=5)]


def test_miles_become_kilometres(tmp_path: Path) -> None:
    assert KPH_PER_MPH == 1.609344
    city = replace(CITY, speed_unit="mph")
    found = read_detector_speeds(write(tmp_path, "d1\n0\n50\n"), city, 5)
    assert found["mean_speed"].to_pylist() == pytest.approx([0, 80.4672])


def test_steps_are_counted_in_absolute_time_through_a_change_of_the_clock(tmp_path: Path) -> None:
    # On 2012-03-11 the clock in Los Angeles went from 02:00 to 03:00.
    city = replace(CITY, speeds_start="2012-03-11T01:00")
    found = read_detector_speeds(write(tmp_path, "d1\n1\n2\n3\n"), city, 60)
    first = datetime(2012, 3, 11, 9, tzinfo=UTC)
    assert found["slice_start"].to_pylist() == [first + timedelta(hours=i) for i in range(3)]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "speed.csv"
    assert refused(path) == f"{path} is missing; set city.speeds"


def test_an_empty_file_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, "")
    assert refused(path) == f"{path} is empty"


@pytest.mark.parametrize("content", ["\n\n", b"\xff\xfe,1\n", "d1,d2\n1,2\n1,2,3\n"])
def test_a_file_that_is_no_table_is_named(content: str | bytes, tmp_path: Path) -> None:
    path = write(tmp_path, content)
    assert refused(path).startswith(f"{path} cannot be read as a table of speeds: ")


def test_a_table_without_rows_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, "d1,d2\n")
    assert refused(path) == f"{path}: no row of speeds in it"


def test_a_column_of_other_things_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, "d1,time\n50,00:05\n")
    assert refused(path) == f"{path}: column 'time' holds other things than speeds"


def test_a_speed_below_0_is_named_with_its_row_in_the_file_and_its_column(tmp_path: Path) -> None:
    path = write(tmp_path, "d1,d2\n50,60\n51,-1\n")
    assert refused(path) == f"{path}: row 3, column 'd2' is below 0"


@pytest.mark.parametrize("cell", ["inf", "-inf"])
def test_an_infinite_speed_is_named_and_not_taken_for_unobserved(cell: str, tmp_path: Path) -> None:
    path = write(tmp_path, f"d1,d2\n50,60\n,{cell}\n51,{cell}\n")
    message = refused(path)
    if cell == "inf":
        assert message == (
            f"{path}: row 3, column 'd2' is infinite (2 such cells); leave cells without a speed "
            "empty"
        )
    else:
        assert message == f"{path}: row 3, column 'd2' is below 0"


def test_rows_longer_than_the_header_are_refused(tmp_path: Path) -> None:
    # pandas would take the first speeds for names of the rows.
    path = write(tmp_path, "d1,d2\n1,2,3\n4,5,6\n")
    assert refused(path).startswith(
        f"{path} cannot be read as a table of speeds: Length of header or names does not match"
    )


def test_a_dyna_table_gives_the_slices_of_the_same_speeds_in_columns(tmp_path: Path) -> None:
    wide = read_detector_speeds(write(tmp_path, "d2,d1\n50,60\n,61\n"), CITY, 5)
    path = tmp_path / "x.dyna"
    path.write_text(
        "dyna_id,type,time,entity_id,traffic_speed\n"
        "0,state,2012-03-01T00:00:00Z,d2,50\n1,state,2012-03-01T00:05:00Z,d2,\n"
        "2,state,2012-03-01T00:00:00Z,d1,60\n3,state,2012-03-01T00:05:00Z,d1,61\n"
    )
    assert read_detector_speeds(path, replace(CITY, speeds_start=""), 5).equals(wide)
    miles = read_detector_speeds(path, replace(CITY, speed_unit="mph"), 5)
    assert miles["mean_speed"].to_pylist()[0] == pytest.approx(60 * KPH_PER_MPH)


@pytest.mark.parametrize(
    "start",
    ["", "soon", "2012-03-01T00:00+00:00", "2012-03-11T02:30", "2012-11-04T01:30"],
    ids=["empty", "no time", "with a zone", "skipped", "twice"],
)
def test_a_start_that_is_no_local_time_is_refused(start: str, tmp_path: Path) -> None:
    city = replace(CITY, speeds_start=start)
    message = refused(write(tmp_path, "d1\n50\n"), city)
    assert message.startswith(f"city.speeds_start: no local time '{start}'; write 2012-03-01T00:00")


def test_a_zone_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"city\.timezone: no time zone 'Mars'"):
        read_detector_speeds(write(tmp_path, "d1\n50\n"), replace(CITY, timezone="Mars"), 5)
