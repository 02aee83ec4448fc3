import logging
from pathlib import Path

import numpy as np
import pytest
from pyproj import Geod

from roadgraph.errors import DataError
from roadgraph.network.network import Network
from roadgraph.network.osm import read_osm
from roadgraph.network.summary import summarise
from roadgraph.settings import NetworkSettings
from tests.toy import point
from tests.toy_osm import crossing, node, nodes, restriction, way, write_osm

DATA = Path(__file__).parents[3] / "shared" / "data" / "osm" / "bad_hersfeld.osm.xml.gz"
SETTINGS = NetworkSettings()
ROW = nodes({number: (100.0 * number, 0.0) for number in range(5)})
"""Nodes 0 to 4, 100 m apart, one behind the other to the east."""


def read(folder: Path, *elements: str, settings: NetworkSettings = SETTINGS) -> Network:
    return read_osm(write_osm(folder / "town.osm", *elements), settings)


def links(network: Network) -> set[tuple[str, str]]:
    return set(zip(network.links["from_segment"], network.links["to_segment"], strict=True))


def row(network: Network, segment: str) -> dict[str, object]:
    table = network.segments.set_index("segment_id", drop=False)
    return dict(table.drop(columns="geometry").loc[segment])


def line(network: Network, segment: str) -> np.ndarray:
    table = network.segments.set_index("segment_id")
    return np.array(table.geometry[segment].coords)


def test_a_crossing_has_two_segments_an_arm(tmp_path: Path) -> None:
    network = read(tmp_path, *crossing())
    assert network.segment_ids == [
        *("10:1-5", "10:5-1", "20:2-5", "20:5-2", "30:3-5", "30:5-3", "40:4-5", "40:5-4")
    ]
    # Three ways on from each arm, and the way back at each of the four dead ends.
    assert len(network.links) == 4 * 3 + 4
    assert ("10:1-5", "10:5-1") not in links(network)
    assert ("10:5-1", "10:1-5") in links(network)
    turn = network.links.set_index(["from_segment", "to_segment"])["turn_angle_deg"]
    assert turn["10:1-5", "40:5-4"] == pytest.approx(-90, abs=0.01)  # eastbound, left to the north


def test_a_segment_runs_from_junction_to_junction_whatever_lies_between(tmp_path: Path) -> None:
    # Way 10 runs on through the junction in node 2; ways 10 and 11 are one road in node 3.
    branch = node(9, 200, 100)
    network = read(
        tmp_path,
        *ROW,
        branch,
        way(10, [0, 1, 2, 3]),
        way(11, [3, 4]),
        way(12, [2, 9], oneway="yes"),
    )
    assert network.segment_ids == ["10:0-2", "10:2-0", "10:2-4", "10:4-2", "12:2-9"]
    assert row(network, "10:2-4")["length_m"] == pytest.approx(200, abs=1e-4)
    assert row(network, "10:4-2")["from_node"] == "4"
    assert row(network, "10:4-2")["to_node"] == "2"


def test_a_segment_has_the_columns_that_its_tags_tell(tmp_path: Path) -> None:
    told = {"highway": "primary", "lanes": "4", "maxspeed": "30 mph", "oneway": "yes"}
    network = read(tmp_path, *ROW, way(10, [0, 1], **told, name="Elm"), way(11, [1, 2]))
    assert row(network, "10:0-1") == {
        "segment_id": "10:0-1",
        "from_node": "0",
        "to_node": "1",
        "length_m": pytest.approx(100, abs=1e-4),
        "road_class": "primary",
        "name": "Elm",
        "lanes": 4,
        "speed_limit_kph": pytest.approx(48.28032),
        "free_flow_kph": pytest.approx(48.28032),
    }


def test_the_default_limit_is_that_of_the_settings(tmp_path: Path) -> None:
    network = read(
        tmp_path,
        *ROW,
        way(10, [0, 1]),
        way(11, [1, 2], oneway="yes", highway="motorway"),
        settings=NetworkSettings(default_speed_limit_kph=40),
    )
    assert row(network, "10:0-1")["speed_limit_kph"] == 40
    assert row(network, "11:1-2")["speed_limit_kph"] == 120


def test_limits_and_lanes_are_those_of_the_direction(tmp_path: Path) -> None:
    tags = {"maxspeed": "50", "maxspeed__backward": "30", "lanes": "3", "lanes__forward": "2"}
    network = read(tmp_path, *ROW, way(10, [0, 1], **tags))
    assert row(network, "10:0-1")["speed_limit_kph"] == 50
    assert row(network, "10:1-0")["speed_limit_kph"] == 30
    assert row(network, "10:0-1")["lanes"] == 2
    assert row(network, "10:1-0")["lanes"] == 1


@pytest.mark.parametrize(
    ("tags", "ids"),
    [
        ({"oneway": "yes"}, ["10:0-2"]),
        ({"oneway": "-1"}, ["10:2-0"]),
        ({"highway": "motorway"}, ["10:0-2"]),
        ({"oneway": "no"}, ["10:0-2", "10:2-0"]),
    ],
)
def test_one_way_streets_have_one_segment_in_driving_direction(
    tags: dict[str, str], ids: list[str], tmp_path: Path
) -> None:
    network = read(tmp_path, *ROW, way(10, [0, 1, 2], **tags))
    assert network.segment_ids == ids
    for segment in ids:
        between = segment.partition(":")[2].split("-")
        places = [point(100.0 * int(end)) for end in between]
        assert line(network, segment)[[0, -1]] == pytest.approx(np.array(places), abs=1e-8)


def test_a_roundabout_is_driven_along_its_nodes_only(tmp_path: Path) -> None:
    places = {1: (-50.0, 0.0), 2: (0.0, -50.0), 3: (50.0, 0.0), 4: (0.0, 50.0), 8: (-150.0, 0.0)}
    ring = way(10, [2, 3, 4, 1, 2], junction="roundabout")
    east = way(30, [3, 9])
    network = read(tmp_path, *nodes({**places, 9: (150.0, 0.0)}), ring, way(20, [8, 1]), east)
    assert network.segment_ids == ["10:1-3", "10:3-1", "20:1-8", "20:8-1", "30:3-9", "30:9-3"]
    assert links(network) == {
        ("20:8-1", "10:1-3"),
        ("10:1-3", "10:3-1"),
        ("10:1-3", "30:3-9"),
        ("30:9-3", "10:3-1"),
        ("10:3-1", "10:1-3"),
        ("10:3-1", "20:1-8"),
        ("20:1-8", "20:8-1"),
        ("30:3-9", "30:9-3"),
    }


def test_a_forbidden_turn_makes_no_link(tmp_path: Path) -> None:
    every = links(read(tmp_path, *crossing()))
    found = links(read(tmp_path, *crossing(restriction("no_left_turn", 10, 5, 40))))
    assert every - found == {("10:1-5", "40:5-4")}


def test_the_only_allowed_turn_leaves_no_other_link(tmp_path: Path) -> None:
    found = links(read(tmp_path, *crossing(restriction("only_straight_on", 10, 5, 20))))
    assert {end for start, end in found if start == "10:1-5"} == {"20:5-2"}
    assert {end for start, end in found if start == "20:2-5"} == {"10:5-1", "30:5-3", "40:5-4"}


def test_a_u_turn_that_is_the_only_turn_allowed_makes_a_link(tmp_path: Path) -> None:
    found = links(read(tmp_path, *crossing(restriction("only_u_turn", 10, 5, 10))))
    assert {end for start, end in found if start == "10:1-5"} == {"10:5-1"}


def test_a_restriction_that_cars_are_exempt_from_changes_nothing(tmp_path: Path) -> None:
    exempt = restriction("no_left_turn", 10, 5, 40, **{"except": "motorcar"})
    assert links(read(tmp_path, *crossing(exempt))) == links(read(tmp_path, *crossing()))


def test_a_restriction_holds_for_the_way_that_meets_the_node_not_for_the_segment_s_id(
    tmp_path: Path,
) -> None:
    # The western arm is way 3 and then way 10; its segment is named after the lower number.
    longer = [node(6, -200, 0), way(3, [6, 1]), restriction("no_left_turn", 10, 5, 40)]
    network = read(tmp_path, *crossing(*longer))
    assert "3:6-5" in network.segment_ids
    assert ("3:6-5", "40:5-4") not in links(network)
    assert ("3:6-5", "20:5-2") in links(network)


def test_a_road_that_may_not_be_driven_on_ends_although_nothing_branches_off(
    tmp_path: Path,
) -> None:
    street = [*ROW, way(10, [0, 1, 2]), way(11, [2, 3, 4])]
    closed = read(tmp_path, *street, restriction("no_straight_on", 10, 2, 11))
    assert closed.segment_ids == ["10:0-2", "10:2-0", "11:2-4", "11:4-2"]
    assert ("10:0-2", "11:2-4") not in links(closed)
    assert ("11:4-2", "10:2-0") in links(closed)
    # Here nobody turns anyway, so the street stays whole.
    for kind, end in (("only_straight_on", 11), ("no_u_turn", 10)):
        assert read(tmp_path, *street, restriction(kind, 10, 2, end)).segment_ids == [
            "10:0-4",
            "10:4-0",
        ]


def test_a_loop_at_the_end_of_a_street_can_be_driven_both_ways_round(tmp_path: Path) -> None:
    loop = [node(8, 150, 50), node(9, 150, -50), way(20, [1, 8, 9, 1])]
    network = read(tmp_path, *ROW, way(10, [0, 1]), *loop)
    assert network.segment_ids == ["10:0-1", "10:1-0", "20:1-1#8", "20:1-1#9"]
    assert links(network) == {
        ("10:0-1", "20:1-1#8"),
        ("10:0-1", "20:1-1#9"),
        ("20:1-1#8", "10:1-0"),
        ("20:1-1#9", "10:1-0"),
        ("10:1-0", "10:0-1"),
    }


def test_two_sides_of_one_way_between_the_same_nodes_are_two_segments(tmp_path: Path) -> None:
    # A closed way, two streets meet it: both sides go from node 1 to node 2.
    sides = [*nodes({7: (150.0, 50.0), 8: (150.0, -50.0)}), way(20, [1, 7, 2, 8, 1])]
    network = read(tmp_path, *ROW, way(10, [0, 1]), way(11, [2, 3]), *sides)
    found = [segment for segment in network.segment_ids if segment.startswith("20:")]
    assert found == ["20:1-2#7", "20:1-2#8", "20:2-1#7", "20:2-1#8"]


def test_a_ring_alone_is_refused(tmp_path: Path) -> None:
    ring = way(10, [1, 2, 4, 1])
    with pytest.raises(DataError, match=r"town\.osm: the 1 ways that cars drive on make no road"):
        read(tmp_path, *crossing()[:5], ring)


def test_a_ring_beside_the_town_is_left_out_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ring = [*nodes({7: (500.0, 0.0), 8: (600.0, 0.0), 9: (550.0, 50.0)}), way(70, [7, 8, 9, 7])]
    with caplog.at_level(logging.INFO):
        network = read(tmp_path, *crossing(*ring))
    assert len(network.segment_ids) == 8
    assert "6 pieces left out in rings that meet no other road" in caplog.text


def test_nodes_at_the_same_place_are_one(tmp_path: Path) -> None:
    # Node 6 lies on node 5; the street to the east begins there.
    apart = [element for element in crossing(node(6, 0, 0)) if 'way id="20"' not in element]
    joined = [way(20, [2, 6]), way(21, [6, 5]), restriction("no_left_turn", 20, 6, 30)]
    network = read(tmp_path, *apart, *joined)
    assert "20:2-5" in network.segment_ids
    assert len(network.segment_ids) == 8
    assert (network.segments["length_m"] > 99).all()
    assert ("20:2-5", "30:5-3") not in links(network)
    assert ("20:2-5", "10:5-1") in links(network)


def test_a_node_twice_in_a_row_changes_nothing(tmp_path: Path) -> None:
    network = read(tmp_path, *ROW, way(10, [0, 0, 1, 1]))
    assert network.segment_ids == ["10:0-1", "10:1-0"]
    assert len(line(network, "10:0-1")) == 2


def test_a_way_drawn_over_another_adds_nothing(tmp_path: Path) -> None:
    network = read(tmp_path, *ROW, way(11, [0, 1], maxspeed="80"), way(10, [0, 1], maxspeed="30"))
    assert network.segment_ids == ["10:0-1", "10:1-0"]
    assert row(network, "10:0-1")["speed_limit_kph"] == 30


def test_a_way_that_the_extract_cuts_is_kept_where_its_nodes_are(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        network = read(tmp_path, *ROW, way(10, [98, 0, 1, 99, 2, 3]))
    # No line is drawn over the gap where node 99 would be.
    assert network.segment_ids == ["10:0-1", "10:1-0", "10:2-3", "10:3-2"]
    assert "1 ways for cars, 1 of which lack nodes (cut extract)" in caplog.text


def test_ids_are_the_same_in_another_extract_of_the_map(tmp_path: Path) -> None:
    more = [*nodes({8: (-100.0, 200.0), 9: (-100.0, 100.0)}), way(3, [8, 9])]
    large = read(tmp_path, *reversed(crossing(*more)))
    small = read(tmp_path, *crossing())
    assert set(small.segment_ids) < set(large.segment_ids)
    assert large.segment_ids == read(tmp_path, *crossing(*more)).segment_ids


@pytest.mark.parametrize("name", ["t.osm", "t.osm.gz", "t.osm.xml", "t.osm.xml.gz", "t.osm.bz2"])
def test_a_compressed_map_gives_the_same_network(name: str, tmp_path: Path) -> None:
    plain = read(tmp_path, *crossing())
    packed = read_osm(write_osm(tmp_path / name, *crossing()), SETTINGS)
    assert packed.fingerprint() == plain.fingerprint()


def test_a_map_without_service_roads_gets_them_when_asked_for(tmp_path: Path) -> None:
    elements = crossing(node(6, 70, 70), way(51, [5, 6], highway="service"))
    assert "51:5-6" not in read(tmp_path, *elements).segment_ids
    asked = read(tmp_path, *elements, settings=NetworkSettings(service_roads=True))
    assert row(asked, "51:5-6")["road_class"] == "service"
    assert row(asked, "51:5-6")["speed_limit_kph"] == 20


def test_the_log_tells_what_was_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    more = [
        way(50, [1, 2], highway="footway"),
        way(51, [1, 2], highway="service"),
        restriction("no_left_turn", 10, 5, 40),
        restriction("no_left_turn", 50, 5, 40),
        restriction("give_way", 10, 5, 40),
    ]
    with caplog.at_level(logging.INFO):
        read(tmp_path, *crossing(*more))
    assert "town.osm: 4 ways for cars, 0 of which lack nodes" in caplog.text
    assert "ways left out: no road for cars 1, service road 1" in caplog.text
    assert "1 turn restrictions applied, 1 turns forbidden" in caplog.text
    assert "not applied: of unknown kind 1, without effect 1" in caplog.text


def test_a_map_of_nothing_but_stumps_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="too few of their nodes are there"):
        read(tmp_path, node(0, 0, 0), way(10, [0, 99]))


@pytest.mark.skipif(not DATA.is_file(), reason="SKIPPED: the OpenStreetMap extract is not here")
def test_the_real_extract_has_the_roads_and_rules_of_its_town(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO):
        network = read_osm(DATA, SETTINGS)
    # The extract has 72 restrictions; 3 lie where only a service road branches off.
    assert "69 turn restrictions applied" in caplog.text
    assert "not applied: without effect 3" in caplog.text
    summary = summarise(network).counts()
    assert 2000 < summary["segments"] < 3000
    assert 400 < summary["kilometres"] < 450
    assert summary["segments in the largest part"] > 0.95 * summary["segments"]
    segments = network.segments
    assert {"motorway", "primary", "residential"} <= set(segments["road_class"])
    # A motorway, whose ways have no name but a number, and a street; some roads have neither.
    assert {"A 4", "Am Markt"} <= set(segments["name"])
    assert 0.5 < segments["name"].notna().mean() < 1
    assert segments["lanes"].between(1, 5).all()
    assert segments["speed_limit_kph"].between(5, 130).all()
    measured = segments.geometry.map(Geod(ellps="WGS84").geometry_length)
    assert segments["length_m"].to_numpy() == pytest.approx(measured.to_numpy())
    assert network.links["turn_angle_deg"].notna().all()
