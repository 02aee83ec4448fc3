from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from roadgraph.errors import DataError
from roadgraph.network.adjacency import read_adjacency
from roadgraph.network.network import Network
from roadgraph.network.summary import summarise
from roadgraph.schema import LINKS, SEGMENTS
from roadgraph.settings import CitySettings

MATRIX = "1,0.5,0\n0,1,0.25\n0,0,1\n"
SPEEDS = "773869,767541,767542\n60,61,62\n"


def files(
    folder: Path, matrix: str | bytes = MATRIX, speeds: str | bytes = SPEEDS
) -> tuple[Path, Path]:
    paths = folder / "adjacency.csv", folder / "speed.csv"
    for path, content in zip(paths, (matrix, speeds), strict=True):
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return paths


def read(matrix: Path, speeds: Path | str = "", ids: Path | str = "") -> Network:
    city = CitySettings(source="detectors", speeds=str(speeds), detector_ids=str(ids))
    return read_adjacency(matrix, city)


def refused(matrix: Path, speeds: Path | str = "", ids: Path | str = "") -> str:
    with pytest.raises(DataError) as error:
        read(matrix, speeds, ids)
    return str(error.value)


def links_of(network: Network) -> list[list[object]]:
    columns = ["from_segment", "to_segment", "weight"]
    return network.links[columns].to_numpy().tolist()


def test_a_weight_in_row_i_and_column_j_links_detector_i_to_j(tmp_path: Path) -> None:
    network = read(*files(tmp_path))
    # Detectors are sorted by their id; the diagonal makes no link.
    assert network.segment_ids == ["767541", "767542", "773869"]
    assert network.links[["from_segment", "to_segment", "weight"]].to_numpy().tolist() == [
        ["767541", "767542", 0.25],
        ["773869", "767541", 0.5],
    ]
    assert list(network.links.columns) == LINKS.columns
    assert network.links["turn_angle_deg"].isna().all()


def test_what_a_matrix_does_not_tell_stays_empty(tmp_path: Path) -> None:
    network = read(*files(tmp_path))
    assert list(network.segments.columns) == SEGMENTS.columns
    assert not network.has_geometry
    for column in ("length_m", "lanes", "speed_limit_kph", "free_flow_kph"):
        assert network.segments[column].isna().all(), column
    assert set(network.segments["road_class"]) == {"detector"}


def test_a_matrix_of_the_diagonal_alone_has_no_links(tmp_path: Path) -> None:
    network = read(*files(tmp_path, "1,0\n0,1\n", "a,b\n1,2\n"))
    assert network.links.empty
    assert summarise(network).strong_parts == 2


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
    network = read(*files(tmp_path, "1,1\n0,1\n", "a,a\n1,2\n"))
    assert network.segment_ids == ["a", "a.1"]
    assert np.isfinite(network.links["weight"]).all()


SQUARE = np.array([[1.0, 0.5, 0.0], [0.0, 1.0, 0.25], [0.0, 0.0, 1.0]])
NAMED = [["a", "b", 0.5], ["b", "c", 0.25]]


@pytest.fixture
def ids(tmp_path: Path) -> Path:
    path = tmp_path / "ids.txt"
    path.write_text("a,b\nc\n")
    return path


@pytest.mark.parametrize("name", ["m.npy", "array.npz", "sparse.npz", "m.csv"])
def test_the_same_matrix_is_the_same_network_in_every_kind_of_file(
    name: str, tmp_path: Path, ids: Path
) -> None:
    path = tmp_path / name
    if name == "m.npy":
        np.save(path, SQUARE)
    elif name == "array.npz":
        np.savez(path, adj=SQUARE, other=np.arange(3))
    elif name == "sparse.npz":
        sparse.save_npz(path, sparse.csr_array(SQUARE))
    else:
        path.write_text("\n".join(",".join(map(str, row)) for row in SQUARE))
    assert links_of(read(path, ids=ids)) == NAMED


def test_an_entry_that_a_sparse_matrix_has_twice_is_the_sum(tmp_path: Path, ids: Path) -> None:
    entries = ([0.25, 0.25, 0.25], ([0, 0, 1], [1, 1, 2]))
    sparse.save_npz(tmp_path / "m.npz", sparse.coo_array(entries, shape=(3, 3)))
    assert links_of(read(tmp_path / "m.npz", ids=ids)) == NAMED


def test_a_file_of_ids_names_the_rows_in_its_order_and_beats_the_header(
    tmp_path: Path, ids: Path
) -> None:
    matrix, speeds = files(tmp_path, speeds="c,b,a\n1,2,3\n")
    assert links_of(read(matrix, speeds, ids)) == NAMED


def test_without_any_names_detectors_are_numbered_from_0(tmp_path: Path) -> None:
    np.save(tmp_path / "m.npy", SQUARE)
    network = read(tmp_path / "m.npy", speeds=tmp_path / "speeds.dyna")
    assert links_of(network) == [["0", "1", 0.5], ["1", "2", 0.25]]


def test_a_matrix_of_objects_is_never_unpickled(tmp_path: Path) -> None:
    for path in (tmp_path / "m.npy", tmp_path / "m.npz"):
        array = np.array([[0, 1], [{}, 0]], dtype=object)
        (np.save if path.suffix == ".npy" else np.savez)(path, array, allow_pickle=True)
        message = refused(path)
        assert message.startswith(f"{path} cannot be read as a matrix of numbers (Object arrays")
        assert "scipy.sparse.save_npz or numpy.save" in message


@pytest.mark.parametrize("name", ["m.npy", "dense.npz", "sparse.npz"])
@pytest.mark.parametrize("share", [0.2, 0.6, 0.95])
def test_a_file_that_was_cut_short_is_named(name: str, share: float, tmp_path: Path) -> None:
    path = tmp_path / name
    if name == "sparse.npz":
        sparse.save_npz(path, sparse.csr_array(np.eye(50)))
    else:
        (np.save if name == "m.npy" else np.savez)(path, np.eye(50))
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    assert refused(path).startswith(f"{path} cannot be read as a matrix of numbers (")


def test_a_text_in_the_place_of_an_archive_is_named(tmp_path: Path) -> None:
    path = tmp_path / "m.npz"
    path.write_text("0,1\n")
    assert refused(path).startswith(f"{path} cannot be read as a matrix of numbers (")


def test_a_sparse_matrix_whose_entries_lie_outside_of_it_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.npz"
    parts = {"indices": [9], "indptr": [0, 1, 1], "data": [1.0], "shape": [2, 2]}
    save: Any = np.savez
    save(path, format=b"csr", **{name: np.array(part) for name, part in parts.items()})
    assert refused(path).startswith(f"{path} cannot be read as a matrix of numbers (")


@pytest.mark.parametrize(
    ("arrays", "found"),
    [
        ({"a": np.eye(2), "b": np.eye(2)}, "a [2, 2], b [2, 2]"),
        ({"a": np.ones((2, 3))}, "a [2, 3]"),
        ({}, "none"),
    ],
)
def test_an_archive_without_one_square_array_is_refused(
    arrays: dict[str, Any], found: str, tmp_path: Path
) -> None:
    path = tmp_path / "m.npz"
    np.savez(path, **arrays)
    assert f"needs exactly one square array (found {found})" in refused(path)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.ones(3), "a matrix has two axes (found shape [3])"),
        (np.array([["a", "b"], ["c", "d"]]), "not a matrix of numbers but of <U1"),
    ],
)
def test_an_array_that_is_no_matrix_of_numbers_is_refused(
    array: np.ndarray, message: str, tmp_path: Path
) -> None:
    np.save(tmp_path / "m.npy", array)
    assert message in refused(tmp_path / "m.npy")


def test_a_sparse_matrix_of_complex_numbers_is_refused(tmp_path: Path) -> None:
    sparse.save_npz(tmp_path / "m.npz", sparse.csr_array(np.eye(2) * 1j))
    assert "not a matrix of numbers but of complex128" in refused(tmp_path / "m.npz")


def test_a_sparse_weight_below_0_is_refused_with_its_row_and_column(tmp_path: Path) -> None:
    sparse.save_npz(tmp_path / "m.npz", sparse.csr_array(np.array([[0, 1.0], [-1, 0]])))
    assert refused(tmp_path / "m.npz").endswith("row 2, column 1 is no weight of 0 or more")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "ids.txt is missing; set city.detector_ids"),
        (b"", "ids.txt is empty; write the detectors' ids into it"),
        (b"a\nb\na\n", "ids.txt: detector 'a' stands in it twice"),
        (b"\xff\xfe", "ids.txt is not in UTF-8; save it so"),
    ],
)
def test_a_file_of_ids_that_cannot_be_used_is_named(
    content: bytes | None, message: str, tmp_path: Path
) -> None:
    np.save(tmp_path / "m.npy", SQUARE)
    if content is not None:
        (tmp_path / "ids.txt").write_bytes(content)
    assert message in refused(tmp_path / "m.npy", ids=tmp_path / "ids.txt")
