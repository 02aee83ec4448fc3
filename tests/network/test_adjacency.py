from pathlib import Path

import numpy as np
import pytest

from roadgraph.errors import DataError
from roadgraph.network.adjacency import read_adjacency
from roadgraph.schema import LINKS, SEGMENTS

MATRIX = "1,0.5,0\n0,1,0.25\n0,0,1\n"
SPEEDS = "773869,767541,767542\n60,61,62\n"


def files(
    folder: Path, matrix: str | bytes = MATRIX, speeds: str | bytes = SPEEDS
) -> tuple[Path, Path]:
    paths = folder / "adjacency.csv", folder / "speed.csv"
    for path, content in zip(paths, (matrix, speeds), strict=True):
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return paths


def refused(matrix: Path, speeds: Path) -> str:
    with pytest.raises(DataError) as error:
        read_adjacency(matrix, speeds)
    return str(error.value)


def test_a_weight_in_row_i_and_column_j_links_detector_i_to_j(tmp_path: Path) -> None:
    network = read_adjacency(*files(tmp_path))
    # Detectors are sorted by their id; the diagonal makes no link.
    assert network.segment_ids == ["767541", "767542", "773869"]
    assert network.links[["from_segment", "to_segment", "weight"]].to_numpy().tolist() == [
        ["767541", "767542", 0.25],
        ["773869", "767541", 0.5],
    ]
    assert list(network.links.columns) == LINKS.columns
    assert network.links["turn_angle_deg"].isna().all()


def test_what_a_matrix_does_not_tell_stays_empty(tmp_path: Path) -> None:
    network = read_adjacency(*files(tmp_path))
    assert list(network.segments.columns) == SEGMENTS.columns
    assert not network.has_geometry
    for column in ("length_m", "lanes", "speed_limit_kph", "free_flow_kph"):
        assert network.segments[column].isna().all(), column
    assert set(network.segments["road_class"]) == {"detector"}


def test_a_matrix_of_the_diagonal_alone_has_no_links(tmp_path: Path) -> None:
    network = read_adjacency(*files(tmp_path, "1,0\n0,1\n", "a,b\n1,2\n"))
    assert network.links.empty
    assert network.summary()["strongly connected parts"] == 2


@pytest.mark.parametrize("missing", [0, 1])
def test_a_missing_file_is_named(missing: int, tmp_path: Path) -> None:
    paths = files(tmp_path)
    paths[missing].unlink()
    assert refused(*paths) == f"{paths[missing]} is missing; set city.roads and city.speeds"


@pytest.mark.parametrize("empty", [0, 1])
def test_an_empty_file_is_named(empty: int, tmp_path: Path) -> None:
    paths = files(tmp_path)
    paths[empty].write_text("")
    assert refused(*paths) == f"{paths[empty]} is empty"


@pytest.mark.parametrize("matrix", ["1,x,0\n0,1,0\n0,0,1\n", "1,0\n0,1,2,3\n", "\n\n", b"\xff\xfe"])
def test_a_matrix_of_other_things_than_numbers_is_named(
    matrix: str | bytes, tmp_path: Path
) -> None:
    paths = files(tmp_path, matrix)
    assert refused(*paths).startswith(f"{paths[0]}: not a matrix of numbers: ")


@pytest.mark.parametrize("speeds", ["\n\n", b"\xff\xfe,b\n1,2\n"])
def test_a_table_of_speeds_that_cannot_be_read_is_named(
    speeds: str | bytes, tmp_path: Path
) -> None:
    paths = files(tmp_path, speeds=speeds)
    assert refused(*paths).startswith(f"{paths[1]} cannot be read as a table of speeds: ")


@pytest.mark.parametrize(
    ("matrix", "shape"), [("1,0\n0,1\n", "[2, 2]"), ("1,0,0\n0,1,0\n", "[2, 3]")]
)
def test_a_matrix_of_another_shape_is_refused_with_both_shapes(
    matrix: str, shape: str, tmp_path: Path
) -> None:
    message = refused(*files(tmp_path, matrix))
    assert "adjacency.csv: needs shape [3, 3], one row and column a detector of" in message
    assert message.endswith(f"(found {shape})")


@pytest.mark.parametrize("value", ["-0.5", "inf", "nan"])
def test_a_weight_that_cannot_be_is_refused_with_its_row_and_column(
    value: str, tmp_path: Path
) -> None:
    message = refused(*files(tmp_path, f"1,0,0\n0,1,{value}\n0,0,1\n"))
    assert message.endswith("adjacency.csv: row 2, column 3 is no weight of 0 or more")


def test_a_detector_twice_in_the_header_gets_two_names(tmp_path: Path) -> None:
    # pandas tells the second by a suffix, here and where the speeds are read.
    network = read_adjacency(*files(tmp_path, "1,1\n0,1\n", "a,a\n1,2\n"))
    assert network.segment_ids == ["a", "a.1"]
    assert np.isfinite(network.links["weight"]).all()
