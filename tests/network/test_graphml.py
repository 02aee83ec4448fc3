import gzip
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import osmnx as ox
import pytest
from shapely.geometry import LineString

from roadgraph.errors import DataError
from roadgraph.network.graphml import read_graphml
from roadgraph.network.network import Network
from roadgraph.network.osm import read_osm
from roadgraph.settings import NetworkSettings
from tests.toy import point
from tests.toy_osm import CROSSING, crossing, write_osm

SETTINGS = NetworkSettings()
STREET = {"highway": "residential", "osmid": 10, "oneway": False}

HEAD = '<graphml xmlns="http://graphml.graphdrawing.org/xmlns">'
KEYS = "".join(
    f'<key id="{key}" for="{element}" attr.name="{name}" attr.type="string"/>'
    for key, element, name in [
        *(("x", "node", "x"), ("y", "node", "y"), ("crs", "graph", "crs")),
        *(("h", "edge", "highway"), ("g", "edge", "geometry")),
    ]
)
PLACES = "".join(
    f'<node id="{node}"><data key="x">{node}</data><data key="y">50</data></node>'
    for node in (1, 2)
)
CRS = '<data key="crs">epsg:4326</data>'
EDGE = '<edge source="1" target="2"><data key="h">primary</data></edge>'


def graph_of(
    edges: Mapping[tuple[int, int], Any],
    places: Mapping[int, tuple[float, float]] = CROSSING,
    simplified: bool = True,
) -> nx.MultiDiGraph:
    """Return a graph as OSMnx makes it: edges by their nodes, places in metres."""
    graph = nx.MultiDiGraph(crs="epsg:4326", simplified=simplified)
    for node, place in places.items():
        lon, lat = point(*place)
        graph.add_node(node, x=lon, y=lat)
    for (start, end), attributes in edges.items():
        graph.add_edge(start, end, **{**STREET, **attributes})
    return graph


def read(folder: Path, graph: nx.Graph, settings: NetworkSettings = SETTINGS) -> Network:
    ox.save_graphml(graph, folder / "town.graphml")
    return read_graphml(folder / "town.graphml", settings)


def row(network: Network, segment: str) -> dict[str, Any]:
    return dict(network.segments.set_index("segment_id").drop(columns="geometry").loc[segment])


def line(network: Network, segment: str) -> np.ndarray:
    return np.array(network.segments.set_index("segment_id").geometry[segment].coords)


def refused(path: Path, content: str | bytes) -> str:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(DataError) as error:
        read_graphml(path, SETTINGS)
    assert str(path) in str(error.value)
    return str(error.value)


def by_hand(inside: str, keys: str = KEYS, edges: str = "directed") -> str:
    return f'{HEAD}{keys}<graph edgedefault="{edges}">{inside}</graph></graphml>'


def test_every_edge_becomes_a_segment_with_what_its_tags_tell(tmp_path: Path) -> None:
    tags = {"highway": "primary", "lanes": "4", "maxspeed": "30 mph", "osmid": 77, "name": "Elm"}
    network = read(tmp_path, graph_of({(1, 5): tags, (5, 1): {**tags, "reversed": True}}))
    assert network.segment_ids == ["77:1-5", "77:5-1"]
    assert row(network, "77:1-5") == {
        "from_node": "1",
        "to_node": "5",
        "length_m": pytest.approx(100, abs=1e-4),
        "road_class": "primary",
        "name": "Elm",
        "lanes": 2,  # 4 both ways
        "speed_limit_kph": pytest.approx(48.28032),
        "free_flow_kph": pytest.approx(48.28032),
    }


def test_segments_link_at_their_nodes_without_u_turns(tmp_path: Path) -> None:
    edges = {(1, 5): {}, (5, 1): {}, (5, 2): {"osmid": 20}, (5, 4): {"osmid": 40}}
    links = read(tmp_path, graph_of(edges)).links
    pairs = set(zip(links["from_segment"], links["to_segment"], strict=True))
    assert pairs == {("10:1-5", "20:5-2"), ("10:1-5", "40:5-4"), ("10:5-1", "10:1-5")}


def test_a_joined_edge_has_the_highest_class_the_fewest_lanes_and_the_mean_limit(
    tmp_path: Path,
) -> None:
    joined = {
        "osmid": [300, 20],
        "highway": ["residential", "secondary"],
        "lanes": ["2", "3"],
        "maxspeed": ["50", "100"],
        "oneway": True,
    }
    network = read(tmp_path, graph_of({(1, 5): joined}))
    assert network.segment_ids == ["20:1-5"]
    found = row(network, "20:1-5")
    assert found["road_class"] == "secondary"
    assert found["lanes"] == 2
    assert found["speed_limit_kph"] == 75


def test_a_joined_edge_has_its_first_name_and_else_its_first_number(tmp_path: Path) -> None:
    both = {"name": ["Oak", "Elm"], "ref": ["B 1", "A 9"]}
    edges = {(1, 5): both, (5, 2): {"ref": ["B 1", "A 9"]}, (5, 3): {}}
    network = read(tmp_path, graph_of(edges))
    assert network.segments["name"].tolist() == ["Elm", "A 9", None]


def test_limits_and_lanes_of_one_direction_follow_the_edge(tmp_path: Path) -> None:
    tags = {"lanes": "3", "lanes:forward": "2", "maxspeed:backward": "30"}
    network = read(tmp_path, graph_of({(1, 5): tags, (5, 1): {**tags, "reversed": True}}))
    assert row(network, "10:1-5")["lanes"] == 2
    assert row(network, "10:5-1")["lanes"] == 1
    assert row(network, "10:1-5")["speed_limit_kph"] == 50
    assert row(network, "10:5-1")["speed_limit_kph"] == 30


def test_a_speed_that_osmnx_imputed_stands_in_for_a_limit(tmp_path: Path) -> None:
    edges = {(1, 5): {"speed_kph": 43.5}, (5, 2): {"speed_kph": 43.5, "maxspeed": "70"}}
    network = read(tmp_path, graph_of(edges))
    assert network.segments["speed_limit_kph"].tolist() == [43.5, 70]


def test_without_any_limit_the_setting_holds(tmp_path: Path) -> None:
    settings = NetworkSettings(default_speed_limit_kph=40)
    network = read(tmp_path, graph_of({(1, 5): {}}), settings)
    assert network.segments["speed_limit_kph"].tolist() == [40]


def test_edges_that_cars_may_not_use_are_left_out_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    edges = {
        (1, 5): {},
        (2, 5): {"highway": "footway"},
        (3, 5): {"access": ["private", "yes"]},
        (4, 5): {"highway": "service"},
        (5, 1): {"highway": ["residential", "path"]},
    }
    with caplog.at_level(logging.INFO):
        network = read(tmp_path, graph_of(edges))
    assert network.segment_ids == ["10:1-5"]
    assert "1 of 5 edges made 1 segments" in caplog.text
    assert "left out: closed to cars 1, no road for cars 2, service road 1" in caplog.text


def test_service_roads_are_taken_when_asked_for_or_as_part_of_a_street(tmp_path: Path) -> None:
    edges = {(4, 5): {"highway": "service"}, (1, 5): {"highway": ["service", "residential"]}}
    network = read(tmp_path, graph_of(edges))
    assert network.segment_ids == ["10:1-5"]
    assert row(network, "10:1-5")["road_class"] == "residential"
    asked = read(tmp_path, graph_of(edges), NetworkSettings(service_roads=True))
    assert asked.segment_ids == ["10:1-5", "10:4-5"]


def test_the_geometry_is_that_of_the_edge_without_repeated_points(tmp_path: Path) -> None:
    bend = [point(-100), point(-50, 20), point(-50, 20), point(0)]
    network = read(tmp_path, graph_of({(1, 5): {"geometry": LineString(bend)}}))
    assert line(network, "10:1-5") == pytest.approx(np.array([bend[0], bend[1], bend[3]]))
    # Two sides of 50 m by 20 m.
    assert row(network, "10:1-5")["length_m"] == pytest.approx(2 * 2900**0.5, abs=0.01)


def test_a_projected_graph_comes_back_in_degrees(tmp_path: Path) -> None:
    edges = {(1, 5): {"geometry": LineString([point(-100), point(-50, 20), point(0)])}, (5, 2): {}}
    plain = read(tmp_path, graph_of(edges))
    projected = read(tmp_path, ox.project_graph(graph_of(edges)))
    assert projected.segment_ids == plain.segment_ids
    for segment in plain.segment_ids:
        assert line(projected, segment) == pytest.approx(line(plain, segment), abs=1e-9)


def test_parallel_edges_are_told_apart_by_their_key(tmp_path: Path) -> None:
    graph = graph_of({(1, 5): {}, (5, 2): {}})
    graph.add_edge(1, 5, **STREET, geometry=LineString([point(-100), point(-50, 9), point(0)]))
    assert read(tmp_path, graph).segment_ids == ["10:1-5#0", "10:1-5#1", "10:5-2"]


def test_an_edge_without_osmid_is_named_by_its_nodes(tmp_path: Path) -> None:
    graph = graph_of({(1, 5): {}})
    del graph.edges[1, 5, 0]["osmid"]
    assert read(tmp_path, graph).segment_ids == ["1-5"]


def test_ids_that_are_no_numbers_come_out_as_they_went_in(tmp_path: Path) -> None:
    graph = nx.relabel_nodes(graph_of({(1, 5): {"osmid": "Elm"}}), {1: "west", 5: "middle"})
    assert read(tmp_path, graph).segment_ids == ["Elm:west-middle"]


def test_an_empty_list_tells_nothing(tmp_path: Path) -> None:
    network = read(tmp_path, graph_of({(1, 5): {"lanes": [], "osmid": []}}))
    assert network.segment_ids == ["1-5"]
    assert row(network, "1-5")["lanes"] == 1


def test_an_edge_without_length_makes_its_nodes_one(tmp_path: Path) -> None:
    places = {**CROSSING, 6: (0.0, 0.0)}
    edges = {(1, 5): {}, (5, 6): {"osmid": 11}, (6, 2): {"osmid": 20}, (3, 3): {"osmid": 30}}
    network = read(tmp_path, graph_of(edges, places))
    assert network.segment_ids == ["10:1-5", "20:5-2"]
    assert len(network.links) == 1


@pytest.mark.parametrize("more", [{}, {6: (0.0, 0.0)}])
def test_a_graph_that_is_not_simplified_gives_the_segments_of_the_raw_map(
    more: dict[int, tuple[float, float]], tmp_path: Path
) -> None:
    # The western arm has a bend in node 7; node 6, where it is, lies on node 5.
    middle = 6 if more else 5
    edges = {
        **{pair: {"osmid": 10} for pair in ((1, 7), (7, 1), (7, middle), (middle, 7))},
        **{pair: {"osmid": 20} for pair in ((2, 5), (5, 2))},
        **{pair: {"osmid": 30} for pair in ((3, 5), (5, 3))},
        **{pair: {"osmid": 40} for pair in ((4, 5), (5, 4))},
        **({(5, 6): {"osmid": 50}, (6, 5): {"osmid": 50}} if more else {}),
    }
    places = {**CROSSING, **more, 7: (-50.0, 0.0)}
    network = read(tmp_path, graph_of(edges, places, simplified=False))
    raw = read_osm(write_osm(tmp_path / "town.osm", *crossing()), SETTINGS)
    assert network.fingerprint() == raw.fingerprint()
    assert len(line(network, "10:1-5")) == 3


def test_a_compressed_graph_is_read(tmp_path: Path) -> None:
    read(tmp_path, graph_of({(1, 5): {}}))
    packed = tmp_path / "town.graphml.gz"
    packed.write_bytes(gzip.compress((tmp_path / "town.graphml").read_bytes(), mtime=0))
    assert read_graphml(packed, SETTINGS).segment_ids == ["10:1-5"]


def test_a_missing_graph_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no\.graphml is missing; set city\.roads"):
        read_graphml(tmp_path / "no.graphml", SETTINGS)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("no xml", "is no whole XML file"),
        ("<osm/>", "begins with <osm> and not with <graphml>"),
        (gzip.compress(by_hand(PLACES).encode() * 9, mtime=0)[:-9], "cannot be decompressed"),
        # Cut short, without a graph, with attributes that OSMnx would not write.
        (by_hand(PLACES)[:-60], "cannot be read as a graph of OSMnx (ParseError"),
        (HEAD + "</graphml>", "cannot be read as a graph of OSMnx (NetworkXError"),
        (by_hand(PLACES, keys=""), "cannot be read as a graph of OSMnx (NetworkXError"),
        (
            by_hand(PLACES.replace(">1<", ">west<")),
            "cannot be read as a graph of OSMnx (ValueError",
        ),
        (
            by_hand(PLACES, keys=KEYS.replace("string", "double")),
            "cannot be read as a graph of OSMnx (AttributeError",
        ),
        (
            by_hand(CRS + PLACES + EDGE.replace("</edge>", '<data key="g">LINE</data></edge>')),
            "cannot be read as a graph of OSMnx (GEOSException",
        ),
        (
            by_hand(
                CRS + PLACES + EDGE.replace("</edge>", '<data key="g">POINT (1 2)</data></edge>')
            ),
            "the geometry of edge (1, 2, 0) is no line but POINT (1 2); mend or remove the edge",
        ),
        (by_hand(PLACES, edges="undirected"), "the graph is undirected"),
        (by_hand(PLACES + EDGE), "the graph names no crs; save it with osmnx.save_graphml"),
        (by_hand(CRS + '<node id="n"/>'), "node 'n' has no x and y; is this a road graph?"),
        (
            by_hand(CRS.replace("4326", "1") + PLACES + EDGE),
            "crs 'epsg:1' is none that is known",
        ),
        (
            by_hand(CRS + PLACES.replace(">50<", ">91<") + EDGE),
            "node '1' lies at [1.0, 91.0], which is no place on Earth in epsg:4326 (2 such nodes)",
        ),
        (
            by_hand(CRS + PLACES + EDGE.replace("primary", "path")),
            "cars drive on none of its 1 edges (1 no road for cars)",
        ),
        (by_hand(CRS), "cars drive on none of its 0 edges"),
        (
            by_hand(CRS + PLACES + EDGE.replace('target="2"', 'target="1"')),
            "its edges have no length, or are rings that meet no other road",
        ),
    ],
)
def test_what_is_no_road_graph_of_osmnx_is_refused(
    content: str | bytes, message: str, tmp_path: Path
) -> None:
    assert message in refused(tmp_path / "town.graphml", content)
