from typing import Any

import pytest

from roadgraph.errors import DataError, SettingsError
from roadgraph.probes.dialect import Dialect, find_dialect, split_line
from roadgraph.settings import ProbesSettings

PLACES = {"vehicle_id": 0, "timestamp": 1, "lat": 2, "lon": 3}
HEADER = "vehicle_id,timestamp,lat,lon"
ROW = "v1,2024-01-05 07:00:00,13.75,100.5"
NAMES = ("vehicle_id", "timestamp", "lat", "lon")


def found(*head: str, **chosen: Any) -> Dialect:
    return find_dialect(head, ProbesSettings(**chosen), "f.csv")


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_out_from_the_header(delimiter: str) -> None:
    head = HEADER.replace(",", delimiter), "rows,may,hold,what,they,like"
    assert found(*head) == Dialect(delimiter, 4, PLACES, has_header=True)


def test_the_delimiter_of_known_names_beats_one_that_makes_more_columns() -> None:
    assert found("vehicle_id;timestamp;lat;lon;a,b,c,d,e,f,g").delimiter == ";"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_without_a_header_the_delimiter_makes_the_right_number_of_columns(delimiter: str) -> None:
    rows = [ROW.replace(",", delimiter), ROW.replace(",", delimiter)]
    assert found(*rows, header_columns=NAMES) == Dialect(delimiter, 4, PLACES, has_header=False)


def test_decimal_commas_do_not_make_columns() -> None:
    dialect = found("v1;07:00;13,75;100,5", "v1;07:01;13,76;100,51", header_columns=NAMES)
    assert (dialect.delimiter, dialect.has_decimal_comma) == (";", True)
    assert found(HEADER).has_decimal_comma is False


def test_a_damaged_first_line_does_not_hide_the_delimiter() -> None:
    assert found("x|y", ROW, ROW, header_columns=NAMES).delimiter == ","


@pytest.mark.parametrize(
    "header",
    [HEADER, "Vehicle_ID , TIMESTAMP,lat, Lon", '"vehicle_id","timestamp","lat","lon"'],
)
def test_a_header_of_the_known_names_is_one_whatever_its_case_and_spaces(header: str) -> None:
    assert found(header, ROW, header_columns=NAMES) == Dialect(",", 4, PLACES, has_header=True)


def test_a_header_of_known_names_tells_the_order_and_may_leave_some_out() -> None:
    dialect = found("lon,lat,vehicle_id,timestamp", header_columns=(*NAMES, "engine"))
    assert dialect == Dialect(
        ",", 4, {"vehicle_id": 2, "timestamp": 3, "lat": 1, "lon": 0}, has_header=True
    )


def test_a_first_line_with_a_name_that_is_not_known_is_a_row() -> None:
    dialect = found("vehicle_id,timestamp,lat,x", ROW, header_columns=NAMES)
    assert dialect.has_header is False


def test_names_are_stripped_and_may_be_quoted() -> None:
    assert found('vehicle_id , "timestamp", lat,"lon"') == Dialect(",", 4, PLACES, has_header=True)


def test_a_header_whose_quotes_make_no_sense_is_split_all_the_same() -> None:
    assert found(HEADER + ',"note').width == 5


@pytest.mark.parametrize(
    ("setting", "delimiter"),
    [("comma", ","), ("semicolon", ";"), ("tab", "\t"), ("pipe", "|"), ("^", "^"), ("\t", "\t")],
)
def test_a_delimiter_can_be_set_by_itself_or_by_its_name(setting: str, delimiter: str) -> None:
    head = HEADER.replace(",", delimiter)
    assert found(head, delimiter=setting) == Dialect(delimiter, 4, PLACES, has_header=True)


@pytest.mark.parametrize("setting", [",,", "a", "1", '"', "-", ".", ":", " ", "\n", "、"])
def test_a_delimiter_that_cannot_be_one_is_an_error_that_names_the_setting(setting: str) -> None:
    with pytest.raises(SettingsError, match=r"^probes\.delimiter: must be one character"):
        found(HEADER, delimiter=setting)


def test_a_file_of_one_column_is_an_error_that_names_the_line_and_the_setting() -> None:
    with pytest.raises(DataError) as error:
        found("v1 07:00 13.75 100.5", header_columns=NAMES)
    assert str(error.value) == (
        "f.csv has one column: there is no , ; tab or | in its first line "
        "'v1 07:00 13.75 100.5'; set probes.delimiter to what stands between two columns"
    )
    with pytest.raises(DataError, match=r"there is no ';' in its first line 'vehicle_id,time"):
        found(HEADER, ROW, delimiter=";")


def test_a_name_that_is_missing_from_the_set_columns_is_an_error_that_names_it() -> None:
    with pytest.raises(DataError, match=r"column 'lon' is missing \(found vehicle_id, timestamp"):
        found(ROW, header_columns=("vehicle_id", "timestamp", "lat", "x"))


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        ("a,b,", ["a", "b", ""]),
        ('a,"b,c"', ["a", "b,c"]),
        ('"a""b",c', ['a"b', "c"]),
        ('a, "b,c"', ["a", "b,c"]),
        ('a,"b', None),
        ('a,"b"c', None),
        ('a,b"c', ["a", 'b"c']),
    ],
)
def test_a_line_is_split_at_delimiters_outside_quotes(line: str, fields: list[str] | None) -> None:
    assert split_line(line, ",") == fields
