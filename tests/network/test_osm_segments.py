from dataclasses import replace
from itertools import pairwise

import pytest
import shapely

from roadgraph.network.network import WGS84
from roadgraph.network.osm_segments import (
    Node,
    OsmSegment,
    Piece,
    Place,
    SamePlace,
    Way,
    merged_segments,
    segment_ids,
    segments_table,
)
from roadgraph.network.osm_tags import Road
from roadgraph.schema import SEGMENTS
from tests.toy import point

ROAD = Road("residential", 1, 50.0)
LINE = shapely.LineString([point(0), point(100)])

ROW: dict[Node, Place] = {node: point(100.0 * node) for node in range(6)}
"""Nodes 0 to 5, 100 m apart, one behind the other to the east."""


def two_way(*nodes: int, way: int = 7, road: Road = ROAD) -> dict[tuple[Node, Node], Piece]:
    return {pair: Piece(way, road) for a, b in pairwise(nodes) for pair in ((a, b), (b, a))}


def one_way(*nodes: int, way: int = 7, road: Road = ROAD) -> dict[tuple[Node, Node], Piece]:
    return {pair: Piece(way, road) for pair in pairwise(nodes)}


def segment(
    start: Node, end: Node, ways: tuple[Way, ...] = (7,), twin: str = "", road: Road = ROAD
) -> OsmSegment:
    return OsmSegment(ways, start, end, twin, LINE, road)


def named(segments: list[OsmSegment]) -> dict[str, OsmSegment]:
    return dict(zip(segment_ids(segments), segments, strict=True))


def test_pieces_become_one_segment_in_each_direction() -> None:
    found = named(merged_segments(two_way(0, 1, 2), ROW))
    assert set(found) == {"7:0-2", "7:2-0"}
    assert list(found["7:2-0"].line.coords) == [ROW[2], ROW[1], ROW[0]]
    assert found["7:2-0"].twin == "1"


def test_a_branch_ends_segments() -> None:
    places = {**ROW, 9: point(100, 100)}
    found = named(merged_segments(one_way(0, 1, 2) | one_way(1, 9, way=8), places))
    assert set(found) == {"7:0-1", "7:1-2", "8:1-9"}


def test_a_node_that_must_stay_ends_segments() -> None:
    assert set(named(merged_segments(one_way(0, 1, 2), ROW, {1}))) == {"7:0-1", "7:1-2"}


def test_class_and_lanes_are_those_of_most_of_the_segment() -> None:
    pieces = one_way(0, 1, road=Road("primary", 3, 50.0)) | one_way(
        1, 2, 3, way=8, road=Road("secondary", 1, 50.0)
    )
    (merged,) = merged_segments(pieces, ROW)
    assert merged.road == Road("secondary", 1, 50.0)
    assert merged.ways == (7, 8, 8)


def test_of_two_halves_the_more_important_class_and_the_fewer_lanes_hold() -> None:
    # There and back: both pieces have exactly the same length.
    places: dict[Node, Place] = {0: (100.0, 0.0), 1: (100.001, 0.0), 2: (100.0, 0.0)}
    pieces = one_way(0, 1, road=Road("secondary", 3, 50.0)) | one_way(
        1, 2, way=8, road=Road("primary", 1, 50.0)
    )
    (merged,) = merged_segments(pieces, places)
    assert merged.road == Road("primary", 1, 50.0)


def test_the_limit_takes_as_long_as_the_limits_of_the_pieces() -> None:
    pieces = one_way(0, 1, road=Road("primary", 1, 50.0)) | one_way(
        1, 2, way=8, road=Road("primary", 1, 100.0)
    )
    (merged,) = merged_segments(pieces, ROW)
    # 100 m at 50 and 100 m at 100 km/h take 7.2 s and 3.6 s; 200 m in 10.8 s are 66.7 km/h.
    assert merged.road.speed_limit_kph == 66.7


@pytest.mark.parametrize(("pieces_told", "told"), [(1, False), (2, True)])
def test_a_limit_is_told_where_tags_tell_that_of_half_the_segment(
    pieces_told: int, told: bool
) -> None:
    # Three pieces of one length.
    pieces = {
        pair: replace(piece, road=replace(piece.road, limit_told=place < pieces_told))
        for place, (pair, piece) in enumerate(one_way(0, 1, 2, 3).items())
    }
    (merged,) = merged_segments(pieces, ROW)
    assert merged.road.limit_told == told


def test_the_name_is_the_one_of_most_metres() -> None:
    named_as = (None, None, None, "Elm", "Oak", "Oak")
    places: dict[Node, Place] = {node: point(100.0 * node) for node in range(len(named_as) + 1)}
    pieces: dict[tuple[Node, Node], Piece] = {}
    for start, name in enumerate(named_as):
        # Of one kind or of several, a name does not break a segment.
        road = Road("primary" if start else "secondary", 1, 50.0, name=name)
        pieces |= one_way(start, start + 1, road=road)
    (merged,) = merged_segments(pieces, places)
    assert merged.road.name == "Oak"
    (alike,) = merged_segments(dict(list(pieces.items())[1:]), places)
    assert alike.road.name == "Oak"
    (without,) = merged_segments(dict(list(pieces.items())[:3]), places)
    assert without.road.name is None


def test_of_two_names_of_one_length_the_first_by_its_text_holds() -> None:
    # There and back: both pieces have exactly the same length.
    places: dict[Node, Place] = {0: (100.0, 0.0), 1: (100.001, 0.0), 2: (100.0, 0.0)}
    pieces = one_way(0, 1, road=Road("primary", 1, 50.0, name="Oak")) | one_way(
        1, 2, way=8, road=Road("primary", 1, 50.0, name="Elm")
    )
    (merged,) = merged_segments(pieces, places)
    assert merged.road.name == "Elm"


def test_a_ring_that_meets_no_other_road_is_left_out() -> None:
    places = {**ROW, 9: point(50, 50)}
    assert merged_segments(two_way(0, 1, 9, 0), places) == []


def test_the_two_ways_round_a_loop_are_told_apart_by_their_next_node() -> None:
    places = {**ROW, 8: point(150, 50), 9: point(150, -50)}
    found = named(merged_segments(two_way(0, 1, way=6) | two_way(1, 8, 9, 1), places))
    assert set(found) == {"6:0-1", "6:1-0", "7:1-1#8", "7:1-1#9"}


def test_ids_take_the_lowest_of_several_ways_by_number_not_by_letter() -> None:
    assert segment_ids([segment(1, 2, ways=(100, 20, 100))]) == ["20:1-2"]
    assert segment_ids([segment("1", "2", ways=("100", "20"))]) == ["20:1-2"]


def test_ids_without_a_way_are_made_of_the_nodes() -> None:
    for ways in ((), ("", "")):
        assert segment_ids([segment("a", "b", ways=ways)]) == ["a-b"]


def test_only_twins_carry_what_tells_them_apart() -> None:
    segments = [segment(1, 2, twin="5"), segment(1, 2, twin="6"), segment(2, 1, twin="5")]
    assert segment_ids(segments) == ["7:1-2#5", "7:1-2#6", "7:2-1"]


def test_the_table_has_the_columns_of_segments() -> None:
    table = segments_table([segment(1, 2, road=Road("primary", 2, 80.0, name="Elm"))])
    assert list(table.columns) == [*SEGMENTS.columns, "limit_told"]
    assert table.crs == WGS84
    (row,) = table.drop(columns="geometry").to_dict("records")
    assert row == {
        "segment_id": "7:1-2",
        "from_node": "1",
        "to_node": "2",
        "length_m": pytest.approx(100.0, abs=1e-6),
        "road_class": "primary",
        "name": "Elm",
        "lanes": 2,
        "speed_limit_kph": 80.0,
        "free_flow_kph": 80.0,
        "limit_told": True,
    }


@pytest.mark.parametrize("pairs", [[(3, 2), (2, 1)], [(1, 2), (2, 3)], [(3, 1), (2, 3), (1, 2)]])
def test_nodes_at_one_place_are_the_one_of_the_lowest_number(pairs: list[tuple[int, int]]) -> None:
    same = SamePlace()
    for first, second in pairs:
        same.join(first, second)
    assert [same.node(node) for node in (1, 2, 3, 4)] == [1, 1, 1, 4]
