from pathlib import Path

import pytest

from roadgraph.errors import DataError
from roadgraph.network.atomic_files import atomic_columns, atomic_values, numbers, read_atomic

GEO = 'geo_id,type,coordinates\n773869,Point,"[-118.3, 34.1]"\n0012,Point,[]\n7,,\n'


def written(folder: Path, content: str | bytes) -> Path:
    path = folder / "x.geo"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def refused(path: Path, needed: list[str] | None = None) -> str:
    with pytest.raises(DataError) as error:
        read_atomic(path, needed or ["geo_id"])
    assert str(path) in str(error.value)
    return str(error.value)


def test_everything_is_text_empty_cells_are_null_and_rows_know_their_line(tmp_path: Path) -> None:
    table = read_atomic(written(tmp_path, GEO), ["geo_id", "coordinates"])
    assert table.rows() == [
        (2, "773869", "Point", "[-118.3, 34.1]"),
        (3, "0012", "Point", "[]"),
        (4, "7", None, None),
    ]


def test_columns_that_are_not_needed_can_be_left_out(tmp_path: Path) -> None:
    path = written(tmp_path, GEO)
    assert atomic_columns(path) == ["geo_id", "type", "coordinates"]
    assert read_atomic(path, ["type", "geo_id"], only=True).columns == ["line", "type", "geo_id"]


def test_values_come_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, "entity_id,v\nb,1\na,2\nb,3\n,4\na,5\nc,6\n")
    assert atomic_values(path, "entity_id") == ["b", "a", "c"]
    with pytest.raises(DataError, match=r"column 'entity' is missing \(found entity_id, v\)"):
        atomic_values(path, "entity")


def test_numbers_are_read_and_what_is_empty_is_null(tmp_path: Path) -> None:
    path = written(tmp_path, "id,v\na,1.5\nb,\nc, 2\nd,nan\ne,-1e3\n")
    table = read_atomic(path, ["v"])
    assert numbers(table, "v", path).to_list() == [1.5, None, 2.0, None, -1000.0]


@pytest.mark.parametrize("cell", ["fast", "inf", "-inf", "1,5", "12km"])
def test_what_is_no_number_is_named_with_its_line(cell: str, tmp_path: Path) -> None:
    path = written(tmp_path, f'id,v\na,1\nb,"{cell}"\nc,"{cell}"\n')
    with pytest.raises(DataError) as error:
        numbers(read_atomic(path, ["v"]), "v", path)
    assert str(error.value).startswith(
        f"{path}: row 3, v '{cell}' is no finite number (2 such rows); mend it, or leave"
    )


def test_a_missing_and_an_empty_file_are_named(tmp_path: Path) -> None:
    assert refused(tmp_path / "x.geo").endswith("x.geo is missing; set city.roads and city.speeds")
    assert refused(written(tmp_path, "")).endswith("x.geo is empty")


def test_a_header_alone_is_refused(tmp_path: Path) -> None:
    assert "no row in it; is this the right file?" in refused(written(tmp_path, "geo_id,type\n"))


@pytest.mark.parametrize(
    "content", [b"geo_id,type\n1,\xff\xfe\n", b"geo_id,type\n1,2,3,4\n", b"\n\n"]
)
def test_a_file_that_is_no_table_is_named(content: bytes, tmp_path: Path) -> None:
    path = written(tmp_path, content)
    message = refused(path)
    assert "cannot be read as a table of LibCity: " in message or "column 'geo_id'" in message


def test_a_missing_column_is_named_with_the_nearest(tmp_path: Path) -> None:
    message = refused(written(tmp_path, GEO), ["geo_ids"])
    assert message.endswith(
        "column 'geo_ids' is missing (found geo_id, type, coordinates); did you mean 'geo_id'?"
    )
