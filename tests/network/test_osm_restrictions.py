import pytest
import shapely

from roadgraph.network.osm_restrictions import TurnRestriction, TurnRules, restriction_of
from roadgraph.network.osm_segments import OsmSegment
from roadgraph.network.osm_tags import Road

MEMBERS = [("from", "way", 1), ("via", "node", 5), ("to", "way", 2)]

LINE = shapely.LineString([(0, 0), (1, 1)])
ROAD = Road("primary", 1, 50.0)
ENDS = {"in": (1, 5), "left": (5, 2), "right": (5, 3), "back": (5, 1), "other_in": (4, 5)}
"""Segments over node 5; the number of a segment's way is 10 times its outer node."""


def rules(
    *restrictions: TurnRestriction, more: dict[str, tuple[int, int]] | None = None
) -> TurnRules:
    ends = {**ENDS, **(more or {})}
    segments = [
        OsmSegment((10 * (start if start != 5 else end),), start, end, "", LINE, ROAD)
        for start, end in ends.values()
    ]
    return TurnRules(restrictions, segments, list(ends), lambda node: node)


def restriction(
    kind: str, start: int | tuple[int, ...], end: int | tuple[int, ...]
) -> TurnRestriction:
    starts = (start,) if isinstance(start, int) else start
    ends = (end,) if isinstance(end, int) else end
    return TurnRestriction(900, kind, starts, 5, ends)


@pytest.mark.parametrize(
    "tags",
    [
        {"restriction": "no_left_turn"},
        {"restriction:motorcar": "no_left_turn"},
        {"restriction:motor_vehicle": "no_left_turn"},
        {"restriction": "only_left_turn", "restriction:motorcar": "no_left_turn"},
        {"restriction": "no_left_turn", "except": "psv;bicycle"},
        {"restriction": "no_left_turn", "restriction:conditional": "none @ (Su)"},
        {"restriction": "no_left_turn", "type": "restriction:motorcar"},
    ],
)
def test_a_restriction_for_cars_is_read(tags: dict[str, str]) -> None:
    found = restriction_of(900, {"type": "restriction", **tags}, MEMBERS)
    assert found == TurnRestriction(900, "no_left_turn", (1,), 5, (2,))


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ({"restriction": "no_left_turn", "except": "psv; motorcar"}, "for other vehicles"),
        ({"restriction": "no_left_turn", "except": "motor_vehicle"}, "for other vehicles"),
        ({"restriction:hgv": "no_left_turn"}, "for other vehicles"),
        ({"restriction": "no_left_turn", "type": "restriction:hgv"}, "for other vehicles"),
        ({"restriction:conditional": "no_left_turn @ (Mo-Fr)"}, "at some hours only"),
        ({"restriction": "no_left_turn", "hour_on": "07:00"}, "at some hours only"),
        ({"restriction": "give_way"}, "of unknown kind"),
        ({}, "of unknown kind"),
    ],
)
def test_a_restriction_that_does_not_hold_for_cars_at_all_hours_is_told(
    tags: dict[str, str], reason: str
) -> None:
    assert restriction_of(900, {"type": "restriction", **tags}, MEMBERS) == reason


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ([("from", "way", 1), ("via", "way", 5), ("to", "way", 2)], "via a way"),
        ([("from", "way", 1), ("to", "way", 2)], "incomplete"),
        ([("via", "node", 5), ("to", "way", 2)], "incomplete"),
        ([("from", "way", 1), ("via", "node", 5)], "incomplete"),
        ([*MEMBERS, ("via", "node", 6)], "incomplete"),
        ([("from", "node", 1), ("via", "node", 5), ("to", "way", 2)], "incomplete"),
    ],
)
def test_a_restriction_over_anything_but_one_node_is_told(
    members: list[tuple[str, str, int]], reason: str
) -> None:
    tags = {"type": "restriction", "restriction": "no_left_turn"}
    assert restriction_of(900, tags, members) == reason


def test_a_forbidden_turn_is_forbidden_and_no_other() -> None:
    found = rules(restriction("no_left_turn", 10, 20))
    assert found.forbidden == {("in", "left")}
    assert not found.permits("in", "left")
    assert found.permits("in", "right")
    assert found.permits("other_in", "left")
    assert found.outcomes == {"applied": 1}


def test_the_only_turn_forbids_all_others_the_way_back_among_them() -> None:
    found = rules(restriction("only_left_turn", 10, 20))
    assert found.forbidden == {("in", "right"), ("in", "back")}


def test_a_u_turn_on_the_same_way_is_forbidden() -> None:
    assert rules(restriction("no_u_turn", 10, 10)).forbidden == {("in", "back")}


def test_no_entry_and_no_exit_have_several_ways() -> None:
    assert rules(restriction("no_entry", (10, 40), 20)).forbidden == {
        ("in", "left"),
        ("other_in", "left"),
    }
    assert rules(restriction("no_exit", 10, (20, 30))).forbidden == {
        ("in", "left"),
        ("in", "right"),
    }


@pytest.mark.parametrize(
    ("kind", "start", "end", "outcome"),
    [
        ("no_left_turn", 20, 30, "without effect"),  # way 20 only leads away from node 5
        ("no_left_turn", 10, 40, "without effect"),  # way 40 only leads to node 5
        ("no_left_turn", 99, 20, "without effect"),
        ("only_left_turn", 99, 20, "without effect"),
        ("only_left_turn", 10, 99, "only way out is no segment"),
    ],
)
def test_a_restriction_of_what_cannot_be_driven_is_counted(
    kind: str, start: int, end: int, outcome: str
) -> None:
    found = rules(restriction(kind, start, end))
    assert found.forbidden == set()
    assert found.outcomes == {outcome: 1}


def test_a_restriction_of_a_way_that_runs_on_through_the_node_is_counted() -> None:
    # A second segment of way 10 comes into node 5: nobody can tell which of the two is meant.
    found = rules(restriction("no_left_turn", 10, 20), more={"through": (1, 5)})
    assert found.forbidden == set()
    assert found.outcomes == {"ambiguous": 1}


def test_the_via_node_is_found_under_the_node_that_stands_for_it() -> None:
    segments = [
        OsmSegment((10,), 1, 5, "", LINE, ROAD),
        OsmSegment((20,), 5, 2, "", LINE, ROAD),
    ]
    at_six = TurnRestriction(900, "no_left_turn", (10,), 6, (20,))
    found = TurnRules([at_six], segments, ["in", "left"], {6: 5}.__getitem__)  # type: ignore[arg-type]
    assert found.forbidden == {("in", "left")}


@pytest.mark.parametrize(
    ("kind", "closes"),
    [("no_straight_on", True), ("no_u_turn", False), ("only_straight_on", False)],
)
def test_only_some_kinds_can_close_a_road_on_which_nothing_branches_off(
    kind: str, closes: bool
) -> None:
    assert restriction(kind, 1, 2).may_close_a_road is closes
