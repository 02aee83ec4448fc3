from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from roadgraph.errors import DataError, SettingsError
from roadgraph.settings import CitySettings
from roadgraph.slices.dyna import read_dyna_speeds

CITY = CitySettings(source="detectors", timezone="America/Los_Angeles")
HEAD = "dyna_id,type,time,entity_id,traffic_speed\n"


def write(folder: Path, *rows: str, head: str = HEAD) -> Path:
    """Write rows of (time, detector, speed)."""
    path = folder / "x.dyna"
    lines = [f"{place},state,{row}\n" for place, row in enumerate(rows)]
    path.write_text(head + "".join(lines))
    return path


def read(path: Path, city: CitySettings = CITY, minutes: int = 5) -> list[tuple[str, str, float]]:
    found = read_dyna_speeds(path, city, minutes)
    starts = found["slice_start"].dt.strftime("%Y-%m-%dT%H:%M%z")
    return list(zip(found["segment_id"], starts, found["speed"], strict=True))


def refused(path: Path, city: CitySettings = CITY, minutes: int = 5) -> str:
    with pytest.raises(DataError) as error:
        read_dyna_speeds(path, city, minutes)
    assert str(error.value).startswith(str(path))
    return str(error.value)


@pytest.mark.parametrize("suffix", ["Z", ""])
def test_a_time_is_the_citys_with_a_z_and_without(suffix: str, tmp_path: Path) -> None:
    path = write(
        tmp_path, f"2012-03-01T00:05:00{suffix},d1,50", f"2012-07-01T00:05:00{suffix},d1,60"
    )
    assert read(path) == [
        ("d1", "2012-03-01T08:05+0000", 50.0),
        ("d1", "2012-07-01T07:05+0000", 60.0),  # summer time
    ]


def test_another_zone_can_be_named(tmp_path: Path) -> None:
    path = write(tmp_path, "2012-07-01T00:05:00Z,d1,60")
    for zone, hour in (("UTC", "00"), ("Etc/GMT+8", "08"), ("Asia/Kolkata", None)):
        city = replace(CITY, speeds_timezone=zone)
        expected = "2012-06-30T18:35" if hour is None else f"2012-07-01T{hour}:05"
        assert read(path, city) == [("d1", f"{expected}+0000", 60.0)]


def test_empty_cells_are_not_observed(tmp_path: Path) -> None:
    path = write(tmp_path, "2012-03-01T00:00:00Z,a,", "2012-03-01T00:00:00Z,b,nan",
                 "2012-03-01T00:00:00Z,c,0")  # fmt: skip
    assert [row[0] for row in read(path)] == ["c"]


def test_rows_of_another_type_are_left_out(tmp_path: Path) -> None:
    path = write(tmp_path, "2012-03-01T00:00:00Z,a,1")
    path.write_text(path.read_text() + "9,trajectory,2012-03-01T00:00:00Z,b,1\n")
    assert [row[0] for row in read(path)] == ["a"]
    path.write_text(HEAD + "9,trajectory,2012-03-01T00:00:00Z,b,1\n")
    assert "no row of type state in it; are these trajectories?" in refused(path)


@pytest.mark.parametrize(
    ("columns", "wanted", "speed"),
    [
        ("traffic_speed", "", 1.0),
        ("v", "", 1.0),
        ("traffic_flow,traffic_speed", "", 2.0),
        ("traffic_flow,traffic_speed", "traffic_flow", 1.0),
    ],
)
def test_the_column_of_the_speeds_is_found_or_named(
    columns: str, wanted: str, speed: float, tmp_path: Path
) -> None:
    head = f"dyna_id,type,time,entity_id,{columns}\n"
    values = ",".join(str(place + 1) for place in range(columns.count(",") + 1))
    path = write(tmp_path, f"2012-03-01T00:00:00Z,a,{values}", head=head)
    assert read(path, replace(CITY, speeds_column=wanted))[0][2] == speed


@pytest.mark.parametrize(
    ("columns", "wanted", "message"),
    [
        (",flow,occupancy", "", "Set city.speeds_column to one of flow, occupancy (found '')"),
        (",flow,speed", "v", "Set city.speeds_column to one of flow, speed (found 'v')"),
        ("", "", "Set city.speeds_column to one of them; there is none"),
    ],
)
def test_a_column_that_cannot_be_found_is_asked_for(
    columns: str, wanted: str, message: str, tmp_path: Path
) -> None:
    path = write(tmp_path, head=f"dyna_id,type,time,entity_id{columns}\n")
    assert message in refused(path, replace(CITY, speeds_column=wanted))


@pytest.mark.parametrize("row", ["2012-03-01T00:00:00Z,,5", ",a,5"])
def test_a_row_without_detector_or_time_is_named(row: str, tmp_path: Path) -> None:
    path = write(tmp_path, "2012-03-01T00:00:00Z,a,5", row)
    assert "row 3 has no entity_id or no time; mend or remove it" in refused(path)


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("fast", "row 3, traffic_speed 'fast' is no finite number"),
        ("inf", "row 3, traffic_speed 'inf' is no finite number"),
        ("-1", "row 3, traffic_speed is below 0"),
    ],
)
def test_a_speed_that_cannot_be_is_named(cell: str, message: str, tmp_path: Path) -> None:
    path = write(tmp_path, "2012-03-01T00:00:00Z,a,5", f"2012-03-01T00:05:00Z,a,{cell}")
    assert message in refused(path)


@pytest.mark.parametrize("time", ["soon", "2012-03-01", "2012-03-01T00:00:00+08:00", "05:00"])
def test_what_is_no_time_is_named(time: str, tmp_path: Path) -> None:
    path = write(tmp_path, "2012-03-01T00:00:00Z,a,5", f"{time},a,5")
    assert f"row 3, time '{time}' is no time; write 2012-03-01T00:05:00Z" in refused(path)


@pytest.mark.parametrize("time", ["2012-03-11T02:30:00Z", "2012-11-04T01:30:00Z"])
def test_an_hour_that_the_clock_skips_or_repeats_asks_for_the_zone(
    time: str, tmp_path: Path
) -> None:
    path = write(tmp_path, "2012-03-01T00:00:00Z,a,5", f"{time},a,5")
    message = refused(path)
    assert f"row 3, time '{time}' comes twice or never in America/Los_Angeles" in message
    assert "set city.speeds_timezone to the zone of the file's clock" in message
    assert len(read(path, replace(CITY, speeds_timezone="Etc/GMT+8"))) == 2


def test_a_time_off_the_clock_of_the_slices_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, "2012-03-01T00:00:00Z,a,5", "2012-03-01T00:05:00Z,a,5")
    message = refused(path, minutes=15)
    assert "row 3, time '2012-03-01T00:05:00Z' is off the clock of 15-minute slices" in message


def test_a_detector_with_two_speeds_at_a_time_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, "2012-03-01T00:00:00Z,a,5", "2012-03-01T00:00:00Z,b,5",
                 "2012-03-01T00:00:00,a,6")  # fmt: skip
    assert "row 4 is a second one of 'a' at that time (1 such rows); keep one" in refused(path)


@pytest.mark.parametrize("setting", ["timezone", "speeds_timezone"])
def test_a_zone_that_is_none_is_named_by_its_setting(setting: str, tmp_path: Path) -> None:
    path = write(tmp_path, "2012-03-01T00:00:00Z,a,5")
    wrong: dict[str, Any] = {setting: "Mars"}
    with pytest.raises(SettingsError, match=rf"city\.{setting}: no time zone 'Mars'"):
        read_dyna_speeds(path, replace(CITY, **wrong), 5)


def test_times_come_in_utc_and_rows_know_their_line(tmp_path: Path) -> None:
    found = read_dyna_speeds(write(tmp_path, "2012-03-01T00:00:00Z,a,5"), CITY, 5)
    assert str(pd.DatetimeIndex(found["slice_start"]).tz) == "UTC"
    assert found["line"].tolist() == [2]
