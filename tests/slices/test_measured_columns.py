import pytest

from roadgraph.errors import DataError
from roadgraph.settings import MeasuredSettings
from roadgraph.slices.measured_columns import (
    AGGREGATE_ROWS,
    TRAVERSAL_ROWS,
    find_columns,
    wanted_names,
)


def settings(**columns: str) -> MeasuredSettings:
    return MeasuredSettings(columns=columns)


def refused(*found: str, **columns: str) -> str:
    with pytest.raises(DataError) as error:
        find_columns(found, settings(**columns), "x.csv")
    return str(error.value)


def test_the_time_column_tells_what_a_row_is() -> None:
    one = find_columns(["entered_at", "segment_id", "speed_kph", "count", "time"], settings(), "x")
    assert one.kind is TRAVERSAL_ROWS
    assert set(one.names) == {"entered_at", "segment_id", "speed_kph"}
    many = find_columns(["time", "segment_id", "speed_kph", "count", "vehicle_id"], settings(), "x")
    assert many.kind is AGGREGATE_ROWS
    assert set(many.names) == {"time", "segment_id", "speed_kph", "count"}


def test_a_mapped_column_takes_the_place_of_one_with_our_name() -> None:
    found = ["segment_id", "link", "entered_at", "speed_kph"]
    columns = find_columns(found, settings(segment_id="link"), "x")
    assert columns.names["segment_id"] == "link"


def test_a_name_of_ours_that_is_mapped_to_another_column_is_taken() -> None:
    found = ["share", "entered_at", "segment_id", "speed_kph", "part"]
    columns = find_columns(found, settings(confidence="share"), "x")
    assert columns.names["confidence"] == "share"
    assert "share" not in columns.names


def test_a_file_of_neither_kind_is_refused_with_what_is_missing() -> None:
    said = refused("segment_id", "entered", "speed_kph")
    assert said == (
        "x.csv: no column 'entered_at' (rows of single vehicles), nor 'time' and 'count' (ready "
        "aggregates) (found segment_id, entered, speed_kph); did you mean 'entered'? Map it with "
        "measured.columns.entered_at=NAME"
    )
    assert refused("segment_id", "time", "speed_kph").startswith("x.csv: no column 'entered_at'")


@pytest.mark.parametrize("missing", ["segment_id", "speed_kph"])
def test_a_missing_column_is_named(missing: str) -> None:
    for kind in (TRAVERSAL_ROWS, AGGREGATE_ROWS):
        found = [name for name in kind.required if name != missing]
        said = refused(*found, f"{missing}s")
        assert f"x.csv: column '{missing}' is missing (found " in said
        assert f"did you mean '{missing}s'? Map it with measured.columns.{missing}=NAME" in said


def test_a_mapping_that_names_nothing_is_refused() -> None:
    found = ("segment_id", "entered_at", "speed_kph")
    said = refused(*found, segment="segment_id")
    assert said.startswith("measured.columns.segment: measured data has no such column")
    assert said.endswith("did you mean 'segment_id'?")
    said = refused(*found, speed_kph="speed")
    assert said == (
        "x.csv: column 'speed', which measured.columns.speed_kph names, is missing (found "
        "segment_id, entered_at, speed_kph); did you mean 'speed_kph'?"
    )


def test_a_column_that_is_there_twice_is_refused() -> None:
    said = refused("segment_id", "entered_at", "speed_kph", "speed_kph")
    assert said == "x.csv: column 'speed_kph' is there twice; rename one of the two"


def test_wanted_names_are_ours_or_what_they_are_mapped_to() -> None:
    names = wanted_names(settings(speed_kph="v"))
    assert {"v", "segment_id", "entered_at", "time", "count"} <= names
    assert "speed_kph" not in names
