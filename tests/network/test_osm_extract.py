import re
from pathlib import Path

import pytest

from roadgraph.errors import DataError
from roadgraph.network.osm_extract import OsmExtract, read_osm_extract
from roadgraph.network.osm_restrictions import TurnRestriction
from tests.toy import LAT, LON
from tests.toy_osm import crossing, node, relation, restriction, way, write_osm


def read(folder: Path, *elements: str, service_roads: bool = False) -> OsmExtract:
    return read_osm_extract(write_osm(folder / "town.osm", *elements), service_roads)


def refused(folder: Path, *elements: str) -> str:
    with pytest.raises(DataError) as error:
        read(folder, *elements)
    assert str(folder / "town.osm") in str(error.value)
    return str(error.value)


def test_ways_places_and_restrictions_are_read(tmp_path: Path) -> None:
    extract = read(tmp_path, *crossing(restriction("no_left_turn", 10, 5, 40), node(77, 0, 0)))
    assert [(found.way, found.nodes) for found in extract.ways] == [
        (10, (1, 5)),
        (20, (2, 5)),
        (30, (3, 5)),
        (40, (4, 5)),
    ]
    assert extract.ways[0].tags == {"highway": "residential"}
    assert set(extract.places) == {1, 2, 3, 4, 5}  # node 77 belongs to no way
    assert extract.places[5] == pytest.approx((LON, LAT))
    assert extract.restrictions == [TurnRestriction(900, "no_left_turn", (10,), 5, (40,))]


def test_the_order_of_the_elements_does_not_matter(tmp_path: Path) -> None:
    elements = crossing(restriction("no_left_turn", 10, 5, 40))
    extract = read(tmp_path, *reversed(elements))
    assert len(extract.ways) == 4
    assert set(extract.places) == {1, 2, 3, 4, 5}


def test_what_is_left_out_is_counted_by_its_reason(tmp_path: Path) -> None:
    extract = read(
        tmp_path,
        *crossing(
            way(50, [1, 2], highway="footway"),
            way(51, [1, 2], highway="service"),
            way(52, [1, 2], access="private"),
            '<way id="53"><nd ref="1"/><tag k="building" v="yes"/></way>',  # no road at all
            relation(901, [("via", "way", 10)], type="restriction", restriction="no_u_turn"),
            relation(902, [], type="route"),
        ),
    )
    assert extract.ways_left_out == {"no road for cars": 1, "service road": 1, "closed to cars": 1}
    assert extract.restrictions_left_out == {"via a way": 1}


def test_service_roads_are_read_when_asked_for(tmp_path: Path) -> None:
    elements = crossing(way(51, [1, 2], highway="service"))
    assert len(read(tmp_path, *elements).ways) == 4
    assert len(read(tmp_path, *elements, service_roads=True).ways) == 5


def test_places_may_stand_in_the_ways(tmp_path: Path) -> None:
    points = '<nd ref="1" lat="50" lon="9"/><nd ref="2" lat="51" lon="9"/>'
    extract = read(tmp_path, f'<way id="1">{points}<tag k="highway" v="primary"/></way>')
    assert extract.places == {1: (9.0, 50.0), 2: (9.0, 51.0)}


@pytest.mark.parametrize("deleted", ['visible="false"', 'action="delete"'])
def test_deleted_elements_are_not_there(deleted: str, tmp_path: Path) -> None:
    gone = [
        f'<way id="60" {deleted}><nd ref="1"/><tag k="highway" v="primary"/></way>',
        f'<node id="6" lat="50" lon="9" {deleted}/>',
        f'<relation id="61" {deleted}><tag k="type" v="restriction"/></relation>',
        '<node id="7"/>',  # deleted nodes have no place in a history file
    ]
    extract = read(tmp_path, *crossing(*gone, way(70, [1, 6, 7])))
    assert [found.way for found in extract.ways] == [10, 20, 30, 40, 70]
    assert set(extract.places) == {1, 2, 3, 4, 5}
    assert not extract.restrictions_left_out


def test_of_two_versions_of_a_way_the_last_holds(tmp_path: Path) -> None:
    extract = read(tmp_path, *crossing(way(10, [1, 2])))
    assert [found.nodes for found in extract.ways if found.way == 10] == [(1, 2)]


def test_a_map_without_ways_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path, node(1, 0, 0)).endswith(
        "there is no way in it; is this the right file?"
    )


def test_a_map_without_roads_for_cars_is_refused_with_the_reasons(tmp_path: Path) -> None:
    paths = [way(1, [1, 2], highway="path"), way(2, [1, 2], highway="path")]
    message = refused(tmp_path, *paths, way(3, [1, 2], access="no"))
    assert "cars drive on none of its ways (2 no road for cars, 1 closed to cars)" in message


def test_ways_without_their_nodes_are_refused(tmp_path: Path) -> None:
    message = refused(tmp_path, way(1, [1, 2]), way(2, [2, 3]))
    assert "the nodes of its 2 drivable ways are missing; download them with the ways" in message


@pytest.mark.parametrize(
    ("element", "message"),
    [
        ('<node id="x" lat="1" lon="1"/>', "id 'x' is no whole number"),
        ('<node lat="1" lon="1"/>', "an element has no id"),
        ('<node id="1" lat="north" lon="1"/>', "lat 'north' is no number"),
        ('<node id="1" lat="1"/>', "an element has no lon"),
        (
            '<node id="1" lat="91" lon="1"/>',
            "node 1 has lon 1.0, lat 91.0, which is no place on Earth",
        ),
        ('<way id="1"><nd/></way>', "an element has no ref"),
        ('<way id="1"><nd ref="x"/></way>', "ref 'x' is no whole number"),
        ('<way id="1"><tag v="x"/></way>', "an element has no k"),
        ('<relation id="1"><member role="from"/></relation>', "an element has no ref"),
    ],
)
def test_a_damaged_element_is_named_with_its_line(
    element: str, message: str, tmp_path: Path
) -> None:
    found = refused(tmp_path, element)
    assert re.search(rf"town\.osm, line 3: {re.escape(message)}; mend or remove it", found)
