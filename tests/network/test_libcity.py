import json
from math import exp
from pathlib import Path
from typing import Any

import pytest

from roadgraph.errors import DataError
from roadgraph.network.libcity import libcity_files, read_libcity
from roadgraph.network.network import Network
from roadgraph.settings import NetworkSettings
from tests.toy import SEGMENT_M, point

SETTINGS = NetworkSettings()
POINTS = 'geo_id,type,coordinates\n2,Point,"[-118.3, 34.1]"\n1,Point,[]\n'
LINKS = "rel_id,type,origin_id,destination_id\n0,geo,2,1\n1,geo,1,1\n2,usr,9,9\n"


def write(folder: Path, geo: str = POINTS, rel: str | None = LINKS, **info: Any) -> Path:
    """Write a data set of the name ``x``; ``info`` goes to its config.json."""
    (folder / "x.geo").write_text(geo)
    if rel is not None:
        (folder / "x.rel").write_text(rel)
    if info:
        (folder / "config.json").write_text(json.dumps({"info": info}))
    return folder


def refused(path: Path, settings: NetworkSettings = SETTINGS) -> str:
    with pytest.raises(DataError) as error:
        read_libcity(path, settings)
    return str(error.value)


def links_of(network: Network) -> list[list[object]]:
    columns = ["from_segment", "to_segment", "weight"]
    return network.links[columns].to_numpy().tolist()


def roads(*more: str, header: str = "geo_id,type,coordinates") -> str:
    """Return A, B and C of the straight road as geos; ``more`` are the further cells of each."""
    rows = [header]
    for place, name in enumerate("ABC"):
        ends = [list(point(SEGMENT_M * i)) for i in (place, place + 1)]
        cells = "".join(f",{cell}" for cell in more[place : place + 1])
        rows.append(f'{name},LineString,"{json.dumps(ends)}"{cells}')
    return "\n".join(rows) + "\n"


def test_points_and_places_without_coordinates_are_detectors(tmp_path: Path) -> None:
    network = read_libcity(write(tmp_path), SETTINGS)
    assert network.segment_ids == ["1", "2"]
    assert not network.has_geometry
    # Neither the link of a place to itself nor that of users is one.
    assert links_of(network) == [["2", "1", 1.0]]


@pytest.mark.parametrize("name", ["", "x.geo", "x.rel"])
def test_a_data_set_is_found_by_its_folder_and_by_either_file(name: str, tmp_path: Path) -> None:
    write(tmp_path, weight_col="")
    files = libcity_files(tmp_path / name)
    assert [path.name for path in files.present()] == ["x.geo", "x.rel", "config.json"]


WEIGHTED = "rel_id,type,origin_id,destination_id,{}\n0,geo,2,1,3\n1,geo,1,2,1\n2,geo,1,1,2\n"
SIGMA2 = 2 / 3  # of the distances 3, 1 and 2
KERNEL = [["1", "2", exp(-1 / SIGMA2)]]  # exp(-9 / SIGMA2) is below 0.1
AS_WRITTEN = [["1", "2", 1.0], ["2", "1", 3.0]]
OF_ONE = [["1", "2", 1.0], ["2", "1", 1.0]]


@pytest.mark.parametrize(
    ("column", "info", "expected"),
    [
        ("link_weight", {}, AS_WRITTEN),
        ("cost", {}, KERNEL),
        ("distance", {}, KERNEL),
        ("cost", {"weight_col": "cost"}, AS_WRITTEN),
        ("cost", {"calculate_weight_adj": True}, KERNEL),
        ("cost", {"calculate_weight_adj": True, "weight_adj_epsilon": 0.5}, []),
        ("w", {"weight_col": ["w"], "calculate_weight_adj": True}, KERNEL),
        ("cost", {"set_weight_link_or_dist": "link", "calculate_weight_adj": True}, OF_ONE),
    ],
)
def test_the_configuration_says_what_a_weight_means(
    column: str, info: dict[str, Any], expected: list[list[object]], tmp_path: Path
) -> None:
    network = read_libcity(write(tmp_path, rel=WEIGHTED.format(column), **info), SETTINGS)
    found = links_of(network)
    assert [row[:2] for row in found] == [row[:2] for row in expected]
    assert [row[2] for row in found] == pytest.approx([row[2] for row in expected])


def test_the_threshold_is_a_setting_where_the_configuration_has_none(tmp_path: Path) -> None:
    write(tmp_path, rel=WEIGHTED.format("cost"))
    assert len(read_libcity(tmp_path, NetworkSettings(min_link_weight=0.0)).links) == 2


def test_roads_with_lines_are_segments_of_their_length(tmp_path: Path) -> None:
    rel = "rel_id,type,origin_id,destination_id\n0,geo,A,B\n1,geo,B,A\n"
    network = read_libcity(write(tmp_path, roads(), rel), SETTINGS)
    assert network.has_geometry
    assert network.segments["length_m"].tolist() == pytest.approx([SEGMENT_M] * 3, abs=1e-3)
    assert network.segments["to_node"][0] == network.segments["from_node"][1]
    # The relations decide, also where the roads do not meet so: from the end of B back to A.
    assert links_of(network) == [["A", "B", 1.0], ["B", "A", 1.0]]
    assert network.links["turn_angle_deg"].tolist() == pytest.approx([0.0, 0.0], abs=1e-3)


def test_roads_without_relations_link_where_they_meet(tmp_path: Path) -> None:
    network = read_libcity(write(tmp_path, roads(), None), SETTINGS)
    assert links_of(network) == [["A", "B", 1.0], ["B", "C", 1.0]]


def test_columns_of_roads_are_known_or_mapped(tmp_path: Path) -> None:
    header = "geo_id,type,coordinates,highway,length,maxspeed,oneway"
    geo = roads(*["primary,90,60,False"] * 3, header=header)
    settings = NetworkSettings(columns={"speed_limit_kph": "maxspeed"})
    segments = read_libcity(write(tmp_path, geo, None), settings).segments
    assert segments["segment_id"].tolist() == ["A", "B", "C"]
    assert segments["road_class"].tolist() == ["primary"] * 3
    assert segments["length_m"].tolist() == [90.0] * 3
    assert segments["speed_limit_kph"].tolist() == [60.0] * 3
    mapped = NetworkSettings(columns={"lanes": "length", "road_class": "maxspeed"})
    segments = read_libcity(tmp_path, mapped).segments
    assert segments["lanes"].tolist() == [90] * 3
    assert segments["road_class"].tolist() == ["60"] * 3


def test_a_data_set_without_one_geo_file_is_named(tmp_path: Path) -> None:
    assert "needs one .geo file (found none); set city.roads to it" in refused(tmp_path)
    write(tmp_path)
    (tmp_path / "y.geo").write_text(POINTS)
    assert "needs one .geo file (found x.geo, y.geo)" in refused(tmp_path)
    (tmp_path / "z.rel").write_text(LINKS)
    message = refused(tmp_path / "z.rel")
    assert message == f"{tmp_path / 'z.geo'} is missing; a network of LibCity needs its .geo file"


def test_detectors_without_relations_are_refused(tmp_path: Path) -> None:
    assert refused(write(tmp_path, rel=None)).endswith(
        "x.rel is missing; detectors need their links"
    )


@pytest.mark.parametrize(
    ("geo", "message"),
    [
        ("geo_id,type,coordinates\n1,Point,[]\n,Point,[]\n", "x.geo: row 3 has no geo_id"),
        (POINTS + "1,Point,[]\n", "x.geo: geo_id '1' stands in it twice; make the ids unique"),
        (roads() + "D,Point,[]\n", "geo_id 'D' is no line (it is a Point, while others are"),
        (roads() + "D,LineString,[]\n", "geo_id 'D' is no line (coordinates '[]')"),
        (roads() + "D,LineString,\n", "geo_id 'D' is no line (coordinates 'None')"),
        (roads() + 'D,LineString,"[[1, 2], [3"\n', "geo_id 'D' is no line (Expecting"),
        (roads() + 'D,LineString,"[[1, 2], [3]]"\n', "geo_id 'D' is no line ("),
        (roads() + 'D,LineString,"[[1, 2], [NaN, 3]]"\n', "geo_id 'D' is no line (coordinates"),
    ],
)
def test_a_place_that_cannot_be_used_is_named(geo: str, message: str, tmp_path: Path) -> None:
    assert message in refused(write(tmp_path, geo, None))


HEAD = "rel_id,type,origin_id,destination_id"


@pytest.mark.parametrize(
    ("rel", "message"),
    [
        (f"{HEAD}\n0,usr,1,2\n", "x.rel: no relation of type geo in it"),
        (f"{HEAD}\n0,usr,1,2\n1,geo,1,7\n", "x.rel: row 3 links '1' to '7', which are not both in"),
        (f"{HEAD}\n0,geo,,2\n", "x.rel: row 2 links 'None' to '2', which are not both in x.geo"),
        (f"{HEAD},w\n0,usr,1,2,5\n1,geo,1,2,far\n", "x.rel: row 3, w 'far' is no finite number"),
        (f"{HEAD},w\n0,usr,1,2,5\n1,geo,1,2,-1\n", "x.rel: row 3 has no w of 0 or more (1 such"),
        (f"{HEAD},w\n0,geo,1,2,\n", "x.rel: row 2 has no w of 0 or more"),
        (f"{HEAD},w\n0,geo,1,2,5\n1,geo,1,2,6\n", "'1' is linked to '2' with two weights; keep"),
        (f"{HEAD},cost\n0,geo,1,2,5\n1,geo,2,1,5\n", "all distances in cost are the same"),
        (f"{HEAD},v,w\n0,geo,1,2,5,5\n", "which of v, w is the weight? Name it in a config.json"),
    ],
)
def test_a_relation_that_cannot_be_used_is_named(rel: str, message: str, tmp_path: Path) -> None:
    assert message in refused(write(tmp_path, rel=rel))


def test_a_relation_that_stands_there_twice_counts_once(tmp_path: Path) -> None:
    network = read_libcity(write(tmp_path, rel=LINKS + "3,geo,2,1\n"), SETTINGS)
    assert links_of(network) == [["2", "1", 1.0]]


def test_a_weight_column_that_is_not_there_is_named(tmp_path: Path) -> None:
    message = refused(write(tmp_path, weight_col="cost"))
    assert "column 'cost', which weight_col of" in message
    assert message.endswith("config.json names, is missing (found none)")


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"info": 3}', '{"info": {"weight_adj_epsilon": "x"}}', "\udcff"]
)
def test_a_configuration_that_cannot_be_read_is_named(content: str, tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "config.json").write_bytes(content.encode("utf-8", "surrogateescape"))
    assert "config.json is no configuration of LibCity (" in refused(tmp_path)
