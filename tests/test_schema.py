from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest

from roadgraph import schema
from roadgraph.errors import DataError
from roadgraph.schema import LINKS, SEGMENTS, SLICES, TRUTH, Table, read_whole

TABLES = [value for value in vars(schema).values() if isinstance(value, Table)]


def truth(**columns: list[object]) -> pa.Table:
    rows = {
        "segment_id": ["B", "A", "A"],
        "slice_start": [0, 900_000_000, 0],
        "mean_speed": [30.0, 20.0, 10.0],
        "vehicles": [3, 2, 1],
    }
    return pa.table({**rows, **columns})


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_the_key_of_every_table_is_among_its_columns(table: Table) -> None:
    assert set(table.key) <= set(table.columns)
    assert [name for name, count in Counter(table.columns).items() if count > 1] == []
    assert all(b"unit" in field.metadata for field in table.schema)


def test_conform_sorts_by_key_orders_the_columns_and_casts_their_types() -> None:
    shuffled = truth().select(["vehicles", "mean_speed", "slice_start", "segment_id"])
    conformed = TRUTH.conform(shuffled)
    assert conformed.schema == TRUTH.schema
    assert conformed["segment_id"].to_pylist() == ["A", "A", "B"]
    assert conformed["vehicles"].to_pylist() == [1, 2, 3]
    assert conformed.schema.field("vehicles").type == pa.int32()


def test_conform_drops_columns_that_the_table_does_not_have() -> None:
    assert TRUTH.conform(truth(note=["x", "y", "z"])).column_names == TRUTH.columns


def test_conform_leaves_the_given_table_as_it_was() -> None:
    given = truth()
    TRUTH.conform(given)
    assert given["segment_id"].to_pylist() == ["B", "A", "A"]


def test_a_missing_column_is_named_with_those_that_were_found() -> None:
    with pytest.raises(DataError, match=r"'truth': column 'vehicles' is missing \(found segment_i"):
        TRUTH.conform(truth().drop_columns(["vehicles"]))


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("vehicles", [1, 2, 3_000_000_000], "3000000000"),
        ("vehicles", [1.5, 2.0, 3.0], "1.5"),
        ("mean_speed", ["fast", "20", "30"], "fast"),
        ("mean_speed", [[1.0], [2.0], [3.0]], "list"),
    ],
)
def test_a_value_that_its_column_cannot_hold_is_refused_with_the_table_named(
    column: str, values: list[object], message: str
) -> None:
    with pytest.raises(DataError, match="table 'truth'") as error:
        TRUTH.conform(truth(**{column: values}))
    assert message in str(error.value)


def test_the_ten_features_are_the_measured_five_then_the_clock_five() -> None:
    assert schema.FEATURES == (
        "mean_speed", "median_speed", "speed_std", "count_probes", "quality_score",
        "hour_sin", "hour_cos", "dow_sin", "dow_cos", "is_weekend",
    )  # fmt: skip
    assert tuple(SLICES.columns[2:]) == schema.MEASURED_FEATURES


def test_classes_stand_from_the_slowest_to_the_fastest() -> None:
    assert schema.CONGESTION_CLASSES == ("gridlock", "congested", "moderate", "free_flow")
    assert schema.RUSH_HOUR_CLASSES == ("no", "yes")
    assert schema.NO_LABEL not in range(len(schema.CONGESTION_CLASSES))


def test_segments_and_links_have_the_columns_that_the_design_fixes() -> None:
    assert SEGMENTS.columns == [
        "segment_id", "from_node", "to_node", "length_m", "road_class", "name", "lanes",
        "speed_limit_kph", "free_flow_kph", "geometry",
    ]  # fmt: skip
    assert LINKS.columns == ["from_segment", "to_segment", "turn_angle_deg", "weight"]


def test_a_damaged_table_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "slices.parquet"
    path.write_bytes(b"PAR1 and then nothing")
    with pytest.raises(DataError, match=r"slices\.parquet is damaged"):
        read_whole(path)
