import json

import pandas as pd
import pyarrow as pa
import pytest

from roadgraph.errors import DataError
from roadgraph.schema import PREDICTIONS, SLICES
from roadgraph.serving.tables import frame_of_answer, slices_of_request

TIMES = ["2026-01-05T07:00:00", "2026-01-05T07:15:00"]
REQUEST = pd.DataFrame(
    {
        "segment_id": ["A", "B"],
        "slice_start": TIMES,
        "mean_speed": [30.0, 40.0],
        "median_speed": [31.0, 41.0],
        "speed_std": [0.0, 2.0],
        "count_probes": [1, 2],
        "quality_score": [0.5, 0.6],
    }
)


@pytest.mark.parametrize(
    "times",
    [
        TIMES,
        [f"{time}Z" for time in TIMES],
        ["2026-01-05T14:00:00+07:00", "2026-01-05T07:15"],
        pd.to_datetime(TIMES),
        pd.to_datetime(TIMES).tz_localize("UTC").tz_convert("Asia/Bangkok"),
        pd.Series(pd.to_datetime(TIMES), dtype=object),
    ],
    ids=["naive texts", "UTC texts", "mixed texts", "naive", "of another zone", "objects"],
)
def test_times_are_utc_unless_they_name_their_zone(times: list[str]) -> None:
    table = slices_of_request(REQUEST.assign(slice_start=times))
    assert table.schema.equals(SLICES.schema)
    expected = [pd.Timestamp(f"{time}Z") for time in TIMES]
    assert table["slice_start"].to_pylist() == expected


def test_other_columns_are_left_out_and_rows_come_sorted_by_key() -> None:
    table = slices_of_request(REQUEST.iloc[::-1].assign(note="x"))
    assert table.column_names == SLICES.columns
    assert table["segment_id"].to_pylist() == ["A", "B"]
    assert table["count_probes"].to_pylist() == [1, 2]


def test_the_request_is_not_changed() -> None:
    request = REQUEST.copy()
    slices_of_request(request)
    pd.testing.assert_frame_equal(request, REQUEST)


def test_all_missing_columns_are_named() -> None:
    with pytest.raises(DataError, match=r"lack mean_speed, count_probes \(found segment_id, "):
        slices_of_request(REQUEST.drop(columns=["mean_speed", "count_probes"]))


def test_a_request_without_rows_is_refused() -> None:
    with pytest.raises(DataError, match="no slice in the request"):
        slices_of_request(REQUEST.iloc[:0])


@pytest.mark.parametrize("value", [float("nan"), None])
def test_a_cell_without_a_number_is_refused_with_its_row(value: float | None) -> None:
    with pytest.raises(DataError, match=r"row 1 of the slices \(from 0\) has no mean_speed"):
        slices_of_request(REQUEST.assign(mean_speed=pd.Series([30.0, value])))


def test_a_row_without_a_time_is_refused() -> None:
    with pytest.raises(DataError, match=r"row 0 of the slices \(from 0\) has no slice_start"):
        slices_of_request(REQUEST.assign(slice_start=pd.Series([None, TIMES[1]])))


def test_a_text_that_is_no_time_is_refused_in_one_line() -> None:
    with pytest.raises(DataError, match=r"must be times such as .*monday") as caught:
        slices_of_request(REQUEST.assign(slice_start="monday"))
    assert "\n" not in str(caught.value)


def test_a_number_is_no_time() -> None:
    with pytest.raises(DataError, match=r"must be times such as .*, not numbers"):
        slices_of_request(REQUEST.assign(slice_start=1767596400))


def test_a_column_of_several_kinds_is_refused() -> None:
    with pytest.raises(DataError, match="holds values of several kinds"):
        slices_of_request(REQUEST.assign(segment_id=["A", 2]))


def test_a_text_that_is_no_number_is_refused() -> None:
    with pytest.raises(DataError, match=r"row 0 .* has the mean_speed 'fast', which is no number"):
        slices_of_request(REQUEST.assign(mean_speed="fast"))


def test_what_is_unknown_becomes_null_in_json_and_the_rest_keeps_its_type() -> None:
    rows: list[dict[str, object]] = [
        {"segment_id": "A", "congestion": "gridlock", "speed": 12.5, "rush_hour": None},
        {"segment_id": "B", "congestion": None, "speed": 20.25, "rush_hour": None},
    ]
    schema = PREDICTIONS.schema
    table = pa.Table.from_pylist(
        [{name: row.get(name) for name in schema.names} for row in rows], schema
    )
    frame = frame_of_answer(table)
    shown = frame[["segment_id", "congestion", "speed", "rush_hour", "p_gridlock"]]
    answer = json.dumps(shown.to_dict(orient="records"), allow_nan=False)
    assert json.loads(answer) == [{**row, "p_gridlock": None} for row in rows]
    assert frame["speed"].dtype == "float32"
