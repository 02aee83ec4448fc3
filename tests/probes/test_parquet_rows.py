import base64
import json
import zipfile
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from roadgraph.errors import DataError
from roadgraph.probes.feed_files import DamagedError, feed_files
from roadgraph.probes.feeds import read_feed
from roadgraph.probes.parquet_rows import ParquetRows, parquet_rows
from roadgraph.settings import ProbesSettings

SEVEN = datetime(2026, 1, 5, tzinfo=UTC)
GOOD = {
    "vehicle_id": pa.array(["a", "b", "c"]),
    "timestamp": pa.array([SEVEN] * 3, pa.timestamp("us", "UTC")),
    "lat": pa.array([13.5, 13.75, None]),
    "lon": pa.array([100.5, 100.75, 101.0]),
}


def write(folder: Path, row_group_size: int = 1000, **columns: pa.Array) -> Path:
    table = pa.table({**GOOD, **columns})
    pq.write_table(table, folder / "f.parquet", row_group_size=row_group_size)
    return folder / "f.parquet"


def parts(path: Path, batch_rows: int = 1000, **chosen: Any) -> list[ParquetRows]:
    [file] = feed_files(path)
    return list(parquet_rows(file, ProbesSettings(**chosen), batch_rows))


def fixes(path: Path, *columns: str, **chosen: Any) -> list[tuple[Any, ...]]:
    [file] = feed_files(path)
    [batch] = read_feed(file, ProbesSettings(**chosen))
    return batch.fixes.select(columns).rows()


def refused(path: Path, **chosen: Any) -> str:
    with pytest.raises(DataError) as error:
        parts(path, **chosen)
    assert str(error.value).startswith("f.parquet")
    return str(error.value)


def test_row_groups_come_in_their_order_with_their_places(tmp_path: Path) -> None:
    found = parts(write(tmp_path, row_group_size=2), batch_rows=2)
    assert [part.rows.tolist() for part in found] == [[1, 2], [3]]
    assert found[1].columns["lon"].to_pylist() == [101.0]
    whole = parts(write(tmp_path, row_group_size=1))
    assert sum(len(part.table) for part in whole) == 3


def test_only_the_columns_that_are_ours_are_read(tmp_path: Path) -> None:
    [part] = parts(write(tmp_path, note=pa.array(["x"] * 3), speed=pa.array([1, 2, 3])))
    assert part.table.schema.names == list(GOOD)
    [part] = parts(write(tmp_path, x=GOOD["lon"]), columns={"lon": "x", "lat": "x"})
    assert part.table.schema.names == ["vehicle_id", "timestamp", "x"]
    assert part.columns["lat"] == part.columns["lon"] == GOOD["lon"]


def test_a_file_without_rows_has_one_part_without_rows(tmp_path: Path) -> None:
    path = write(tmp_path, **{name: column[:0] for name, column in GOOD.items()})
    [part] = parts(path)
    assert (len(part.rows), len(part.table), part.refused) == (0, 0, [])


@pytest.mark.parametrize(
    ("ids", "texts"),
    [
        (pa.array([7, 8, 9]), ["7", "8", "9"]),
        (pa.array(["007", " 8 ", "9"], pa.large_string()), ["007", "8", "9"]),
        (pa.array(["7", "8", "7"]).dictionary_encode(), ["7", "8", "7"]),
        (pa.array(["7", "8", "9"], pa.string_view()), ["7", "8", "9"]),
    ],
)
def test_vehicles_become_text_whatever_their_type(
    ids: pa.Array, texts: list[str], tmp_path: Path
) -> None:
    assert [row[0] for row in fixes(write(tmp_path, vehicle_id=ids), "vehicle_id")] == texts


@pytest.mark.parametrize(
    "numbers",
    [
        pa.array([1, 2, None], pa.int8()),
        pa.array([1, 2, None], pa.uint64()),
        pa.array([1, 2, None], pa.float32()),
        pa.array([1, 2, None], pa.float16()),
        pa.array([Decimal(1), Decimal(2), None]),
        pa.array([" 1 ", "2.0", None]),
        pa.array(["1", "2", None]).dictionary_encode(),
    ],
)
def test_numbers_are_read_whatever_their_type(numbers: pa.Array, tmp_path: Path) -> None:
    assert fixes(write(tmp_path, speed_kph=numbers), "speed_kph") == [(1.0,), (2.0,), (None,)]


def test_a_column_that_is_empty_throughout_is_missing(tmp_path: Path) -> None:
    assert fixes(write(tmp_path, speed_kph=pa.nulls(3)), "speed_kph") == [(None,)] * 3


@pytest.mark.parametrize(
    ("times", "chosen"),
    [
        (pa.array(["2026-01-05T00:00:00Z"] * 3), {}),
        (pa.array(["2026-01-05 07:00"] * 3), {"timezone": "Asia/Bangkok"}),
        (pa.array([datetime(2026, 1, 5, 7)] * 3), {"timezone": "Asia/Bangkok"}),
        (pa.array([datetime(2026, 1, 5)] * 3, pa.timestamp("ns", "Asia/Bangkok")), {}),
        (pa.array([1767571200] * 3), {"time_format": "epoch_s"}),
        (pa.array([1767571200000.0] * 3), {"time_format": "epoch_ms"}),
        (
            pa.array([20260105070000] * 3),
            {"time_format": "%Y%m%d%H%M%S", "timezone": "Asia/Bangkok"},
        ),
    ],
)
def test_times_are_read_whatever_their_type(
    times: pa.Array, chosen: dict[str, str], tmp_path: Path
) -> None:
    assert fixes(write(tmp_path, timestamp=times), "timestamp", **chosen) == [(SEVEN,)] * 3


@pytest.mark.parametrize(
    "valid", [pa.array([True, False, None]), pa.array([1, 0, None]), pa.array(["A", "n", None])]
)
def test_validity_is_read_whatever_its_type(valid: pa.Array, tmp_path: Path) -> None:
    found = fixes(write(tmp_path, ok=valid), "vehicle_id", valid_column="ok")
    assert found == [("a",)]


@pytest.mark.parametrize(
    ("name", "column", "words"),
    [
        ("timestamp", pa.array([date(2026, 1, 5)] * 3), "holds date32[day], not a time; map"),
        ("timestamp", pa.array([1, 2, 3]), "holds int64, not a time; for a number of seconds set"),
        ("lat", pa.array([True] * 3), "holds bool, not a number; map another with probes.columns"),
        ("lat", pa.array([b"1"] * 3), "holds binary, not a number"),
        ("speed_kph", pa.array([[1.0]] * 3), "not a number; map another"),
        ("vehicle_id", pa.array([{"a": 1}] * 3), "not text or a number"),
        ("heading_deg", pa.array([SEVEN] * 3), "not a number"),
    ],
)
def test_a_column_of_a_type_that_cannot_be_used_is_named(
    name: str, column: pa.Array, words: str, tmp_path: Path
) -> None:
    message = refused(write(tmp_path, **{name: column}))
    assert message.startswith(f"f.parquet: column '{name}' ")
    assert words in message


def test_a_validity_column_of_a_type_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, ok=pa.array([SEVEN] * 3))
    assert "column 'ok' holds timestamp" in refused(path, valid_column="ok")


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    assert "column 'taxi', which" in refused(write(tmp_path), columns={"vehicle_id": "taxi"})


def test_a_column_that_is_there_twice_is_named(tmp_path: Path) -> None:
    table = pa.Table.from_arrays([*GOOD.values(), GOOD["lat"]], names=[*GOOD, "lat"])
    pq.write_table(table, tmp_path / "f.parquet")
    assert "column 'lat' is there twice" in refused(tmp_path / "f.parquet")


def test_text_that_is_not_utf_8_refuses_its_row_alone(tmp_path: Path) -> None:
    offsets, data = pa.py_buffer(b"\0\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0"), pa.py_buffer(b"a\xffc")
    ids = pa.Array.from_buffers(pa.string(), 3, [None, offsets, data])
    [part] = parts(write(tmp_path, vehicle_id=ids))
    assert (part.rows.tolist(), part.refused) == ([1, 3], [2])
    assert part.columns["vehicle_id"].to_pylist() == ["a", "c"]
    assert json.loads(part.raw(2))["vehicle_id"] == "\\xff"


def test_a_row_is_shown_as_json(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        timestamp=pa.array([0, 2**62, None], pa.timestamp("us")),
        speed_kph=pa.array([Decimal("1.5"), None, None]),
        vehicle_id=pa.array(["รถ", None, "c"]),
    )
    [part] = parts(path)
    assert part.raw(1) == (
        '{"vehicle_id": "รถ", "timestamp": "1970-01-01 00:00:00", "lat": 13.5, "lon": 100.5, '
        '"speed_kph": "1.5"}'
    )
    second = {"vehicle_id": None, "timestamp": 2**62, "lat": 13.75, "lon": 100.75}
    assert json.loads(part.raw(2)) == {**second, "speed_kph": None}
    assert json.loads(part.raw(3))["timestamp"] is None


@pytest.mark.parametrize("data", [b"", b"no table", b"PAR1" + bytes(100) + b"PAR1"])
def test_a_file_that_is_no_parquet_is_named(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "f.parquet").write_bytes(data)
    assert "is a damaged Parquet file (" in refused(tmp_path / "f.parquet")


def test_a_file_cut_off_or_with_damaged_pages_is_named(tmp_path: Path) -> None:
    good = write(tmp_path).read_bytes()
    (tmp_path / "f.parquet").write_bytes(good[:-10])
    assert "damaged" in refused(tmp_path / "f.parquet")
    (tmp_path / "f.parquet").write_bytes(good[:4] + b"\xff" * 60 + good[64:])
    with pytest.raises(DamagedError, match=r"^f\.parquet is a damaged Parquet file"):
        parts(tmp_path / "f.parquet")


def test_a_file_that_says_that_it_has_more_rows_than_it_has_is_named(tmp_path: Path) -> None:
    good = write(tmp_path).read_bytes()
    three, four = b"\x16\x06", b"\x16\x08"  # the file's count of rows comes behind its schema
    footer = len(good) - 8 - int.from_bytes(good[-8:-4], "little")
    (tmp_path / "f.parquet").write_bytes(good[:footer] + good[footer:].replace(three, four, 1))
    assert refused(tmp_path / "f.parquet").startswith(
        "f.parquet is damaged: it says that it has 4 rows and has 3"
    )


def test_a_damaged_name_of_a_zone_is_an_error_and_a_strange_one_is_none(tmp_path: Path) -> None:
    times = pa.array([SEVEN] * 3, pa.timestamp("us", "Mars/X"))
    path = write(tmp_path, timestamp=times)
    assert fixes(path, "timestamp") == [(SEVEN,)] * 3
    table = pq.read_table(path).replace_schema_metadata(None)
    packed = table.schema.serialize().to_pybytes().replace(b"Mars/X", b"Mars/\xc3")
    metadata = {"ARROW:schema": base64.b64encode(packed)}
    with pq.ParquetWriter(path, table.schema, store_schema=False) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata(metadata)
    assert "is a damaged Parquet file ('utf-8' codec can't decode byte 0xc3" in refused(path)


def test_a_zips_member_is_read(tmp_path: Path) -> None:
    path = write(tmp_path)
    with zipfile.ZipFile(tmp_path / "f.zip", "w") as packed:
        packed.write(path, "day/f.parquet")
    [part] = parts(tmp_path / "f.zip")
    assert part.rows.tolist() == [1, 2, 3]
