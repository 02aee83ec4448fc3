from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from roadgraph.errors import DataError
from roadgraph.probes.fix_values import ReadRows, read_rows
from roadgraph.schema import FIXES
from roadgraph.settings import ProbesSettings

SEVEN = datetime(2026, 1, 5, 0, 0, tzinfo=UTC)
GOOD = {"vehicle_id": "v1", "timestamp": "2026-01-05T00:00:00Z", "lat": "13.8", "lon": "100.6"}


def read(*changes: dict[str, str], commas: bool = False, **chosen: Any) -> ReadRows:
    """Read one row a change; the first change has every column that any has."""
    rows = [{**GOOD, **change} for change in changes]
    columns = {name: pa.array([row[name] for row in rows], pa.string()) for name in rows[0]}
    numbers = np.arange(2, 2 + len(rows))
    settings = ProbesSettings(**chosen)
    return read_rows(columns, numbers, settings, "f.csv", has_decimal_comma=commas)


def rules(*changes: dict[str, str], **chosen: Any) -> dict[int, str]:
    return dict(read(*changes, **chosen).refused.iter_rows())


def test_a_row_becomes_a_fix_with_its_place_in_the_file() -> None:
    found = read({"speed_kph": "36", "heading_deg": "90"}, {"speed_kph": "", "heading_deg": ""})
    kinds = {
        "vehicle_id": pl.String(),
        "timestamp": pl.Datetime("us", "UTC"),
        **dict.fromkeys(("lat", "lon", "speed_kph", "heading_deg"), pl.Float64()),
        "row": pl.Int64(),
    }
    assert list(kinds) == [*FIXES.columns, "row"]
    assert dict(found.fixes.schema) == kinds
    assert found.fixes.rows() == [
        ("v1", SEVEN, 13.8, 100.6, 36.0, 90.0, 2),
        ("v1", SEVEN, 13.8, 100.6, None, None, 3),
    ]
    assert dict(found.refused.schema) == {"row": pl.Int64(), "rule": pl.String()}
    assert found.is_zoned is True


def test_a_feed_without_speed_and_heading_has_them_missing() -> None:
    assert read({}).fixes.rows() == [("v1", SEVEN, 13.8, 100.6, None, None, 2)]


def test_no_rows_give_no_fixes() -> None:
    columns = {name: pa.array([], pa.string()) for name in GOOD}
    found = read_rows(columns, np.array([], np.int64), ProbesSettings(), "f.csv")
    assert (len(found.fixes), len(found.refused), found.is_zoned) == (0, 0, None)


def test_an_id_of_digits_keeps_its_zeros() -> None:
    found = read({"vehicle_id": "007"}, {"vehicle_id": "7"})
    assert found.fixes["vehicle_id"].to_list() == ["007", "7"]


def test_an_empty_position_is_missing_and_left_to_the_cleaning() -> None:
    assert read({"lat": "", "lon": ""}).fixes.select("lat", "lon").rows() == [(None, None)]


@pytest.mark.parametrize(
    "text",
    ["north", "inf", "-inf", "nan", "NaN", "Infinity", "1e999", "1,5", "0x10", "1_0", "1 5", "١"],
)
@pytest.mark.parametrize("column", ["lat", "lon", "speed_kph", "heading_deg"])
def test_what_is_no_number_is_refused(column: str, text: str) -> None:
    assert rules({column: text}) == {2: "bad_number"}


@pytest.mark.parametrize(
    ("text", "number"), [("13.8", 13.8), ("-1", -1.0), ("+1.5", 1.5), ("1e1", 10.0), (".5", 0.5)]
)
def test_numbers_are_read_however_they_are_written(text: str, number: float) -> None:
    assert read({"lat": text}).fixes["lat"].to_list() == [number]


def test_a_decimal_comma_is_one_where_the_delimiter_is_none() -> None:
    assert read({"lat": "13,8"}, commas=True).fixes["lat"].to_list() == [13.8]
    assert read({"lat": "13.8"}, commas=True).fixes["lat"].to_list() == [13.8]
    assert rules({"lat": "1.013,8"}, commas=True) == {2: "bad_number"}


@pytest.mark.parametrize(
    ("unit", "kph"), [("km/h", 10.0), ("mph", 16.09344), ("m/s", 36.0), ("knots", 18.52)]
)
def test_speeds_of_every_unit_become_km_an_hour(unit: str, kph: float) -> None:
    found = read({"speed_kph": "10"}, {"speed_kph": ""}, speed_unit=unit).fixes["speed_kph"]
    assert found.to_list() == [pytest.approx(kph), None]


def test_a_row_without_a_vehicle_or_a_time_is_refused() -> None:
    assert rules({"vehicle_id": ""}, {"timestamp": ""}, {"timestamp": "now"}) == {
        2: "no_vehicle", 3: "bad_time", 4: "bad_time",
    }  # fmt: skip


@pytest.mark.parametrize("text", ["0", "", "F", "false", "False", "N", "no", "0.0"])
def test_a_row_that_the_receiver_had_no_fix_for_is_refused(text: str) -> None:
    assert rules({"valid": text}, {"valid": "1"}) == {2: "gps_invalid"}


@pytest.mark.parametrize("text", ["1", "T", "true", "Y", "A", "3"])
def test_a_row_that_the_receiver_had_a_fix_for_is_read(text: str) -> None:
    assert rules({"valid": text}) == {}


def test_a_row_is_refused_by_the_first_rule_that_it_breaks() -> None:
    worst = {"vehicle_id": "", "valid": "0", "timestamp": "x", "lat": "x"}
    broken = [worst]
    for name, good in {"vehicle_id": "v1", "valid": "1", "timestamp": GOOD["timestamp"]}.items():
        broken.append({**broken[-1], name: good})
    assert list(rules(*broken).values()) == ["no_vehicle", "gps_invalid", "bad_time", "bad_number"]


def test_floats_are_numbers_where_nan_is_missing_and_infinity_is_none() -> None:
    columns = {name: pa.array([text] * 4) for name, text in GOOD.items()}
    columns["lat"] = pa.array([13.8, float("nan"), float("inf"), None], pa.float64())
    found = read_rows(columns, np.arange(1, 5), ProbesSettings(), "f.parquet")
    assert found.fixes.select("row", "lat").rows() == [(1, 13.8), (2, None), (4, None)]
    assert found.refused.rows() == [(3, "bad_number")]


def test_times_without_a_zone_are_an_error_that_names_the_file() -> None:
    with pytest.raises(DataError, match=r"^f\.csv: column 'timestamp' has no time zone"):
        read({"timestamp": "2026-01-05T07:00:00"})
