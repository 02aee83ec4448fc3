from math import exp
from pathlib import Path

import numpy as np
import pytest

from roadgraph.errors import DataError
from roadgraph.network.distances import gaussian_weights, read_distances
from roadgraph.network.network import Network
from roadgraph.settings import CitySettings, NetworkSettings

SPEEDS = "b,a,c\n1,2,3\n"
# Distances 0, 0, 0, 1, 2, 3 have mean 1 and variance (3 * 1 + 0 + 1 + 4) / 6 = 4/3.
ROWS = "a,a,0\nb,b,0\nc,c,0\na,b,1\nb,c,2\nc,a,3\n"
LIST = "from,to,cost\n" + ROWS


def read(
    folder: Path,
    content: str | bytes = LIST,
    least: float = 0.0,
    ids: str = "",
    speeds: str = SPEEDS,
) -> Network:
    (folder / "d.csv").write_bytes(content.encode() if isinstance(content, str) else content)
    (folder / "speed.csv").write_text(speeds)
    city = CitySettings(
        source="detectors", speeds=str(folder / "speed.csv"), detector_ids=ids and str(folder / ids)
    )
    return read_distances(folder / "d.csv", city, NetworkSettings(min_link_weight=least))


def refused(folder: Path, content: str | bytes, **other: str) -> str:
    with pytest.raises(DataError) as error:
        read(folder, content, **other)  # type: ignore[arg-type]
    assert str(error.value).startswith(str(folder / "d.csv"))
    return str(error.value)


def links_of(network: Network) -> dict[tuple[str, str], float]:
    links = network.links
    return dict(
        zip(
            zip(links["from_segment"], links["to_segment"], strict=True),
            links["weight"],
            strict=True,
        )
    )


def test_weights_are_the_gaussian_kernel_of_the_distances(tmp_path: Path) -> None:
    network = read(tmp_path)
    assert network.segment_ids == ["a", "b", "c"]
    assert links_of(network) == pytest.approx(
        {
            ("a", "b"): exp(-1 / (4 / 3)),
            ("b", "c"): exp(-4 / (4 / 3)),
            ("c", "a"): exp(-9 / (4 / 3)),
        }
    )
    assert not network.has_geometry
    assert network.links["turn_angle_deg"].isna().all()


def test_a_weight_below_the_threshold_makes_no_link(tmp_path: Path) -> None:
    # exp(-3/4) is 0.47, exp(-3) is 0.0498, exp(-27/4) is 0.001.
    assert set(links_of(read(tmp_path, least=0.1))) == {("a", "b")}
    assert set(links_of(read(tmp_path, least=0.04))) == {("a", "b"), ("b", "c")}


def test_a_weight_of_exactly_the_threshold_is_kept() -> None:
    weights = gaussian_weights(np.array([0.0, 1.0, 2.0]), 1.0, exp(-1.0))
    assert weights.tolist() == [1.0, exp(-1.0), 0.0]


def test_pairs_with_other_detectors_count_nowhere(tmp_path: Path) -> None:
    more = LIST + "z,a,1000\na,z,1000\ny,z,5\n"
    assert links_of(read(tmp_path, more)) == links_of(read(tmp_path))


def test_the_unit_of_the_distances_does_not_matter(tmp_path: Path) -> None:
    metres = "from,to,cost\n" + ROWS.replace(",1\n", ",1000\n").replace(",2\n", ",2000\n")
    metres = metres.replace(",3\n", ",3000\n")
    assert links_of(read(tmp_path, metres)) == pytest.approx(links_of(read(tmp_path)))


def test_headers_may_have_capitals_blanks_and_another_name(tmp_path: Path) -> None:
    expected = links_of(read(tmp_path))
    assert links_of(read(tmp_path, "From, To, Distance\n" + ROWS)) == expected
    assert links_of(read(tmp_path, "id,from,to,cost\n" + "".join(
        f"{place},{row}\n" for place, row in enumerate(ROWS.split())
    ))) == expected  # fmt: skip


def test_a_row_that_stands_there_twice_counts_once(tmp_path: Path) -> None:
    assert links_of(read(tmp_path, LIST + "a,b,1\n")) == links_of(read(tmp_path))


def test_a_file_of_ids_says_which_detectors_there_are(tmp_path: Path) -> None:
    (tmp_path / "ids.txt").write_text("a,b")
    assert read(tmp_path, ids="ids.txt").segment_ids == ["a", "b"]


def test_a_dyna_table_says_which_detectors_there_are(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text(LIST)
    (tmp_path / "s.dyna").write_text(
        "dyna_id,type,time,entity_id,v\n0,state,t,a,1\n1,state,t,b,1\n"
    )
    city = CitySettings(source="detectors", speeds=str(tmp_path / "s.dyna"))
    assert read_distances(tmp_path / "d.csv", city, NetworkSettings()).segment_ids == ["a", "b"]


def test_without_speeds_all_in_the_list_are_detectors(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text(LIST)
    network = read_distances(tmp_path / "d.csv", CitySettings(speeds=""), NetworkSettings())
    assert network.segment_ids == ["a", "b", "c"]


def test_detectors_that_no_row_names_are_refused(tmp_path: Path) -> None:
    message = refused(tmp_path, LIST, speeds="a,b,cc,x\n1,1,1,1\n")
    assert "2 of the 4 detectors of" in message
    assert "are in no row, such as 'cc'; are the ids the same?" in message
    assert message.endswith("did you mean 'c'?")


@pytest.mark.parametrize("rows", ["a,b,5\nb,c,5\nc,a,5\n", "a,b,5\nc,z,3\n"])
def test_distances_that_tell_no_weights_are_refused(rows: str, tmp_path: Path) -> None:
    assert "are all the same, so they tell no weights; use an adjacency matrix" in refused(
        tmp_path, "from,to,cost\n" + rows
    )


def test_a_missing_and_an_empty_list_are_named(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    with pytest.raises(DataError, match=r"is missing; set city\.roads"):
        read_distances(path, CitySettings(), NetworkSettings())
    assert refused(tmp_path, "") == f"{path} is empty"


@pytest.mark.parametrize("content", [b"from,to,cost\n\xff,b,1\n", "from,to,cost\na,b,1\na,b,1,2\n"])
def test_a_list_that_cannot_be_read_is_named(content: str | bytes, tmp_path: Path) -> None:
    assert "cannot be read as a list of distances: " in refused(tmp_path, content)


def test_rows_longer_than_the_header_are_refused(tmp_path: Path) -> None:
    message = refused(tmp_path, "from,to,cost\n0,a,b,1\n1,b,c,2\n")
    assert "cannot be read as a list of distances: Length of header or names does not" in message


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    for header, missing in (("from,to,x", "cost"), ("from,cost,x", "to"), ("a,to,cost", "from")):
        message = refused(tmp_path, f"{header}\n1,2,3\n")
        assert f"column '{missing}' is missing (found {header.replace(',', ', ')})" in message


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("a,,1", "row 8 (a,,1) names no two detectors (1 such rows); mend or remove it"),
        ("a,c,far", "row 8 (a,c,far) has no distance of 0 or more"),
        ("a,c,-1", "row 8 (a,c,-1) has no distance of 0 or more"),
        ("a,c,inf", "row 8 (a,c,inf) has no distance of 0 or more"),
        ("a,c,", "row 8 (a,c,) has no distance of 0 or more"),
        ("a,b,7", "row 8 (a,b,7) gives another distance than a row before it does"),
    ],
)
def test_a_row_that_cannot_be_used_is_named(row: str, fault: str, tmp_path: Path) -> None:
    assert fault in refused(tmp_path, f"{LIST}{row}\n")
