import pandas as pd
import pytest

from roadgraph.network.links import links_at_nodes
from roadgraph.schema import LINKS
from tests.toy import MAX_TURN_DEG, crossroads_segments, point, segments_table, straight_segments

STRAIGHT, RIGHT, LEFT, BACK = 0.0, 90.0, -90.0, 180.0


def turns(links: pd.DataFrame) -> dict[tuple[str, str], float]:
    pairs = zip(links["from_segment"], links["to_segment"], strict=True)
    return dict(zip(pairs, links["turn_angle_deg"], strict=True))


def test_segments_link_where_one_ends_and_another_begins() -> None:
    links = links_at_nodes(straight_segments(), MAX_TURN_DEG)
    assert list(links.columns) == LINKS.columns
    assert sorted(turns(links)) == [("A", "B"), ("B", "C")]
    assert links["weight"].tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    ("coming", "going", "turn"),
    [
        ("south_in", "north_out", STRAIGHT),
        ("south_in", "east_out", RIGHT),
        ("south_in", "west_out", LEFT),
        ("east_in", "west_out", STRAIGHT),
        ("east_in", "north_out", RIGHT),
        ("east_in", "south_out", LEFT),
        ("north_in", "west_out", RIGHT),
        ("north_in", "east_out", LEFT),
        ("west_in", "east_out", STRAIGHT),
        ("west_in", "south_out", RIGHT),
        ("west_in", "north_out", LEFT),
    ],
)
def test_straight_on_is_0_right_90_and_left_minus_90(coming: str, going: str, turn: float) -> None:
    found = turns(links_at_nodes(crossroads_segments(), MAX_TURN_DEG))
    assert found[coming, going] == pytest.approx(turn, abs=0.01)


def test_u_turns_over_the_middle_are_left_out() -> None:
    found = turns(links_at_nodes(crossroads_segments(), MAX_TURN_DEG))
    assert [pair for pair in found if pair[0].endswith("_in") and pair[0][:4] == pair[1][:4]] == []
    assert len([pair for pair in found if pair[0].endswith("_in")]) == 12


def test_u_turns_are_kept_where_turns_of_180_degrees_are_allowed() -> None:
    found = turns(links_at_nodes(crossroads_segments(), 180.0))
    assert abs(found["south_in", "south_out"]) == pytest.approx(BACK, abs=0.01)
    assert len(found) == 20


def test_a_dead_end_keeps_its_only_way_out() -> None:
    found = turns(links_at_nodes(crossroads_segments(), MAX_TURN_DEG))
    for arm in ("north", "east", "south", "west"):
        assert abs(found[f"{arm}_out", f"{arm}_in"]) == pytest.approx(BACK, abs=0.01)


def test_a_smaller_limit_leaves_only_the_ways_straight_on_and_out_of_dead_ends() -> None:
    found = turns(links_at_nodes(crossroads_segments(), 89.0))
    assert len(found) == 4 + 4
    assert ("south_in", "north_out") in found


def test_the_turn_is_that_of_the_last_piece_into_the_first_piece() -> None:
    # "in" goes north and then east, "out" goes east and then south: straight on at the node.
    bent_in = [point(-100, -100), point(-100, 0), point(0, 0)]
    bent_out = [point(0, 0), point(100, 0), point(100, -100)]
    segments = segments_table({"in": ("a", "b", bent_in), "out": ("b", "c", bent_out)})
    found = turns(links_at_nodes(segments, MAX_TURN_DEG))
    assert list(found) == [("in", "out")]
    assert found["in", "out"] == pytest.approx(STRAIGHT, abs=0.01)


def test_a_turn_across_due_south_is_small() -> None:
    # From bearing 170 to bearing -170 is 20 degrees to the right, not 340 to the left.
    first = [point(-17.3648, 98.4808), point(0, 0)]
    second = [point(0, 0), point(-17.3648, -98.4808)]
    segments = segments_table({"in": ("a", "b", first), "out": ("b", "c", second)})
    found = turns(links_at_nodes(segments, MAX_TURN_DEG))
    assert found["in", "out"] == pytest.approx(20, abs=0.1)


def test_a_loop_does_not_link_to_itself() -> None:
    circle = [point(0, 0), point(50, 50), point(0, 100), point(0, 0)]
    segments = segments_table({"loop": ("a", "a", circle)})
    assert turns(links_at_nodes(segments, 180.0)) == {}


def test_the_given_segments_are_left_as_they_were() -> None:
    segments = crossroads_segments()
    links_at_nodes(segments, MAX_TURN_DEG)
    assert segments.equals(crossroads_segments())
