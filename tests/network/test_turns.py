import pytest

from roadgraph.network.links import links_at_nodes
from roadgraph.network.turns import permitted_links
from roadgraph.schema import LINKS
from tests.toy import MAX_TURN_DEG, crossroads_segments


def pairs(permits: object) -> set[tuple[str, str]]:
    assert callable(permits)
    links = permitted_links(crossroads_segments(), MAX_TURN_DEG, permits)
    assert list(links.columns) == LINKS.columns
    return set(zip(links["from_segment"], links["to_segment"], strict=True))


def test_where_all_turns_are_permitted_links_are_those_at_the_nodes() -> None:
    links = links_at_nodes(crossroads_segments(), MAX_TURN_DEG)
    assert pairs(lambda _a, _b: True) == set(
        zip(links["from_segment"], links["to_segment"], strict=True)
    )


def test_a_turn_that_is_not_permitted_makes_no_link() -> None:
    every = pairs(lambda _a, _b: True)
    found = pairs(lambda start, end: (start, end) != ("west_in", "north_out"))
    assert every - found == {("west_in", "north_out")}


@pytest.mark.parametrize("others", [True, False])
def test_a_u_turn_stays_only_where_no_other_turn_is_permitted(others: bool) -> None:
    found = pairs(lambda start, end: start != "west_in" or others or end == "west_out")
    assert (("west_in", "west_out") in found) is not others
