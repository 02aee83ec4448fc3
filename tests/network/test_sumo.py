import gzip
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyproj import Transformer

from roadgraph.errors import DataError
from roadgraph.network.network import Network
from roadgraph.network.sumo import read_sumo
from roadgraph.settings import NetworkSettings

SETTINGS = NetworkSettings()

UTM = "+proj=utm +zone=32 +ellps=WGS84 +datum=WGS84 +units=m +no_defs"
LOCATION = f'<location netOffset="-500000.00,-5600000.00" projParameter="{UTM}"/>'
"""On the central meridian of zone 32, 9 degrees east; the net begins 5,600 km north."""

JUNCTIONS = {"w": (0, 0), "m": (100, 0), "e": (200, 0), "n": (100, 100)}


def lane(edge: str, index: int = 0, **attributes: str) -> str:
    told = {"speed": "13.89", "length": "92.80", "shape": "0,-2 90,-2", **attributes}
    inside = " ".join(f'{key}="{value}"' for key, value in told.items())
    return f'<lane id="{edge}_{index}" index="{index}" {inside}/>'


def edge(key: str, start: str, end: str, lanes: Sequence[str] = (), **attributes: str) -> str:
    inside = " ".join(f'{key}="{value}"' for key, value in attributes.items())
    body = "".join(lanes or [lane(key)])
    return f'<edge id="{key}" from="{start}" to="{end}" {inside}>{body}</edge>'


def connection(start: str, end: str, from_lane: int = 0, to_lane: int = 0, **more: str) -> str:
    told = {"fromLane": str(from_lane), "toLane": str(to_lane), "dir": "s", "state": "M", **more}
    inside = " ".join(f'{key}="{value}"' for key, value in told.items())
    return f'<connection from="{start}" to="{end}" {inside}/>'


def net(*elements: str, location: str = LOCATION, junctions: bool = True) -> str:
    places = "".join(
        f'<junction id="{name}" type="priority" x="{x}" y="{y}"/>'
        for name, (x, y) in JUNCTIONS.items()
        if junctions
    )
    return f'<net version="1.20">{location}{"".join(elements)}{places}</net>'


TEE = (
    *(edge("w_in", "w", "m"), edge("w_out", "m", "w"), edge("e_out", "m", "e")),
    edge("n_out", "m", "n"),
)
"""From the west to the middle and from there to the west, east and north."""


def read(folder: Path, *elements: str, settings: NetworkSettings = SETTINGS) -> Network:
    path = folder / "town.net.xml"
    path.write_text(net(*elements))
    return read_sumo(path, settings)


def row(network: Network, segment: str) -> dict[str, Any]:
    return dict(network.segments.set_index("segment_id").drop(columns="geometry").loc[segment])


def line(network: Network, segment: str) -> np.ndarray:
    return np.array(network.segments.set_index("segment_id").geometry[segment].coords)


def links(network: Network) -> set[tuple[str, str]]:
    return set(zip(network.links["from_segment"], network.links["to_segment"], strict=True))


def refused(folder: Path, content: str | bytes) -> str:
    path = folder / "town.net.xml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(DataError) as error:
        read_sumo(path, SETTINGS)
    assert str(path) in str(error.value)
    return str(error.value)


def test_an_edge_becomes_a_segment_with_what_sumo_knows_of_it(tmp_path: Path) -> None:
    lanes = [lane("a", 0, speed="13.89"), lane("a", 1, speed="13.89")]
    network = read(tmp_path, edge("a", "w", "m", lanes, type="highway.primary", name="Elm"))
    assert row(network, "a") == {
        "from_node": "w",
        "to_node": "m",
        "length_m": 92.8,  # SUMO's own, between the junctions
        "road_class": "primary",
        "name": "Elm",
        "lanes": 2,
        "speed_limit_kph": 50.0,
        "free_flow_kph": 50.0,
    }


@pytest.mark.parametrize(
    ("edge_type", "road_class"),
    [
        ("highway.primary|cycleway.lane", "primary"),
        ("urban_street", "urban_street"),
        ("", "unclassified"),
    ],
)
def test_the_class_is_sumo_s_type(edge_type: str, road_class: str, tmp_path: Path) -> None:
    network = read(tmp_path, edge("a", "w", "m", type=edge_type))
    assert row(network, "a")["road_class"] == road_class


def test_an_edge_without_a_name_has_none(tmp_path: Path) -> None:
    network = read(tmp_path, edge("a", "w", "m"), edge("b", "m", "w", name=""))
    assert network.segments["name"].tolist() == [None, None]


def test_the_geometry_is_the_edge_s_shape_back_in_degrees(tmp_path: Path) -> None:
    network = read(tmp_path, edge("a", "w", "m", shape="0,0,5 50,10 50,10 100,0"))
    # Northing 5,600 km and 9 degrees east, from the plane's own definition.
    plane = Transformer.from_crs("EPSG:4326", "EPSG:32632", always_xy=True)
    east, north = plane.transform(*line(network, "a").T)
    assert east == pytest.approx([500_000, 500_050, 500_100], abs=1e-3)
    assert north == pytest.approx([5_600_000, 5_600_010, 5_600_000], abs=1e-3)
    assert line(network, "a")[0, 0] == pytest.approx(9.0)


def test_without_a_shape_an_edge_runs_from_junction_to_junction(tmp_path: Path) -> None:
    network = read(tmp_path, edge("a", "w", "m"), edge("b", "w", "m", shape="0,0 100,0"))
    assert line(network, "a") == pytest.approx(line(network, "b"))


def test_only_edges_and_lanes_for_cars_are_taken(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def single(name: str, **permission: str) -> str:
        return edge(name, "w", "m", [lane(name, 0, **permission)])

    with caplog.at_level(logging.INFO):
        network = read(
            tmp_path,
            single("open"),
            single("allowed", allow="bus passenger"),
            single("allowed_to_all", allow="all"),
            single("not_to_trams", disallow="tram rail"),
            single("bus", allow="bus"),
            single("closed", disallow="passenger"),
            single("closed_to_all", disallow="all"),
            edge("mixed", "w", "m", [lane("mixed", 0, allow="bicycle"), lane("mixed", 1)]),
            '<edge id=":m_0" function="internal"><lane id=":m_0_0"/></edge>',
            '<edge id=":m_w0" function="walkingarea"><lane id=":m_w0_0"/></edge>',
        )
    assert network.segment_ids == ["allowed", "allowed_to_all", "mixed", "not_to_trams", "open"]
    assert row(network, "mixed")["lanes"] == 1
    assert "5 edges for cars" in caplog.text
    assert "left out: closed to cars 3, internal 1, walkingarea 1" in caplog.text


def test_links_are_sumo_s_connections_and_not_all_turns(tmp_path: Path) -> None:
    network = read(tmp_path, *TEE, connection("w_in", "e_out"), connection("e_out", "nowhere"))
    assert links(network) == {("w_in", "e_out")}
    assert network.links["turn_angle_deg"].tolist() == pytest.approx([0], abs=0.01)
    assert network.links["weight"].tolist() == [1.0]


def test_u_turns_make_a_link_only_as_the_only_way_on(tmp_path: Path) -> None:
    back = connection("w_in", "w_out", dir="t")
    assert links(read(tmp_path, *TEE, back, connection("w_in", "n_out"))) == {("w_in", "n_out")}
    assert links(read(tmp_path, *TEE, back)) == {("w_in", "w_out")}


def test_a_connection_that_cars_may_not_use_makes_no_link(tmp_path: Path) -> None:
    two_lanes = edge("a", "w", "m", [lane("a", 0, allow="bus"), lane("a", 1)])
    network = read(
        tmp_path,
        *(two_lanes, *TEE),
        connection("a", "e_out", from_lane=0),  # from the bus lane
        connection("a", "n_out", from_lane=1, disallow="passenger"),
        connection("w_in", "n_out", to_lane=1),  # into a lane that there is not
        connection("w_in", "e_out", from_lane=0),
        connection(":m_0", "e_out"),
    )
    assert links(network) == {("w_in", "e_out")}


def test_a_compressed_net_gives_the_same_network(tmp_path: Path) -> None:
    packed = tmp_path / "town.net.xml.gz"
    packed.write_bytes(gzip.compress(net(*TEE).encode(), mtime=0))
    assert read_sumo(packed, SETTINGS).fingerprint() == read(tmp_path, *TEE).fingerprint()


def test_an_edge_whose_ends_are_one_place_is_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        network = read(tmp_path, edge("a", "w", "m"), edge("b", "w", "m", shape="5,5 5,5"))
    assert network.segment_ids == ["a"]
    assert "left out: without length 1" in caplog.text


def test_an_edge_from_a_junction_back_to_it_is_taken(tmp_path: Path) -> None:
    loop = edge("loop", "m", "m", shape="100,0 150,50 150,-50 100,0")
    network = read(tmp_path, *TEE, loop, connection("w_in", "loop"), connection("loop", "loop"))
    assert links(network) == {("w_in", "loop")}


def test_a_net_without_a_projection_is_refused_with_what_to_do(tmp_path: Path) -> None:
    for projection in ("!", "-", "", "."):
        location = f'<location netOffset="0,0" projParameter="{projection}"/>'
        message = refused(tmp_path, net(*TEE, location=location))
        assert f"has no geo-reference (projParameter '{projection}' in <location>)" in message
        assert "netconvert --osm-files" in message
    assert "has no geo-reference" in refused(tmp_path, net(*TEE, location=""))


@pytest.mark.parametrize("offset", ["", "0", "a,b", "1,2,3"])
def test_an_offset_that_is_no_pair_is_refused(offset: str, tmp_path: Path) -> None:
    location = f'<location netOffset="{offset}" projParameter="{UTM}"/>'
    message = refused(tmp_path, net(*TEE, location=location))
    assert f"netOffset '{offset}' in <location> is no pair of numbers" in message


def test_a_projection_that_proj_does_not_know_is_refused(tmp_path: Path) -> None:
    location = '<location netOffset="0,0" projParameter="+proj=nonsense"/>'
    message = refused(tmp_path, net(*TEE, location=location))
    assert "projParameter '+proj=nonsense' in <location> is no projection that PROJ" in message


def test_an_offset_that_leads_off_the_earth_is_refused(tmp_path: Path) -> None:
    location = f'<location netOffset="1e9,0" projParameter="{UTM}"/>'
    message = refused(tmp_path, net(*TEE, location=location))
    assert "is no place on Earth" in message
    assert "do not fit each other" in message


def test_an_edge_between_junctions_that_are_not_there_is_refused(tmp_path: Path) -> None:
    message = refused(tmp_path, net(*TEE, junctions=False))
    assert "edge 'w_in' names junction 'w', which the file does not have" in message


def test_a_net_without_edges_for_cars_is_refused_with_the_reasons(tmp_path: Path) -> None:
    tram = edge("t", "w", "m", [lane("t", allow="tram")])
    assert "cars may use no edge in it (1 closed to cars)" in refused(tmp_path, net(tram))
    assert "cars may use no edge in it (none found)" in refused(tmp_path, net())


@pytest.mark.parametrize(
    ("element", "message"),
    [
        ('<edge from="w" to="m"/>', "an element has no id"),
        ('<edge id="a" to="m"/>', "an element has no from"),
        ('<edge id="a" from="w"/>', "an element has no to"),
        (edge("a", "w", "m", shape="0,0 x,1"), "edge 'a' has a shape that is no list of points"),
        (edge("a", "w", "m", shape="0,0"), "edge 'a' has a shape that is no list of points"),
        (edge("a", "w", "m", shape="0 0"), "edge 'a' has a shape that is no list of points"),
        (edge("a", "w", "m", [lane("a", speed="fast")]), "speed 'fast' is no number"),
        (edge("a", "w", "m", [lane("a", length="")]), "an element has no length"),
        ('<junction id="j" x="a" y="0"/>', "x 'a' is no number"),
        ('<connection to="a" fromLane="0" toLane="0"/>', "an element has no from"),
        ('<connection from="a" to="b" toLane="0"/>', "an element has no fromLane"),
    ],
)
def test_a_damaged_element_is_named_with_its_line(
    element: str, message: str, tmp_path: Path
) -> None:
    assert f"town.net.xml, line 1: {message}" in refused(tmp_path, net(element))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("no xml", "is no whole XML file"),
        (net(*TEE)[:-30], "is no whole XML file"),
        ("<osm/>", "begins with <osm> and not with <net>"),
        (gzip.compress(net(*TEE).encode(), mtime=0)[:-12], "cannot be decompressed"),
    ],
)
def test_what_is_no_net_is_refused(content: str | bytes, message: str, tmp_path: Path) -> None:
    assert message in refused(tmp_path, content)


def test_a_limit_or_length_that_cannot_be_is_refused_with_the_edge(tmp_path: Path) -> None:
    still = edge("a", "w", "m", [lane("a", speed="0")])
    assert "segment 'a' has speed_limit_kph 0.0" in refused(tmp_path, net(still))
    short = edge("a", "w", "m", [lane("a", length="-1")])
    assert "segment 'a' has length_m -1.0" in refused(tmp_path, net(short))
