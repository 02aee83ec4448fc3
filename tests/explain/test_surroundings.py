import math

import numpy as np
import pandas as pd
import pytest

from roadgraph.explain.surroundings import RELATIONS, surroundings_of
from roadgraph.network.network import Network
from tests.toy import (
    crossroads_network,
    detector_network,
    network_of,
    point,
    segments_table,
    straight_network,
)


def relations_of(network: Network, segment_id: str) -> dict[str, tuple[str, int, float]]:
    found = surroundings_of(network, network.segment_ids.index(segment_id))
    names = [RELATIONS[place] for place in found.relations]
    facts = zip(names, found.links.tolist(), found.metres.tolist(), strict=True)
    return dict(zip(network.segment_ids, facts, strict=True))


def test_traffic_comes_from_upstream_and_goes_downstream() -> None:
    assert relations_of(straight_network(), "B") == {
        "A": ("upstream", 1, 0), "B": ("itself", 0, 0), "C": ("downstream", 1, 0),
    }  # fmt: skip


def test_distances_are_those_between_the_ends_that_face_each_other() -> None:
    network = straight_network()
    assert relations_of(network, "A")["C"] == ("downstream", 2, 100)
    assert relations_of(network, "C")["A"] == ("upstream", 2, 100)


def test_another_way_into_the_same_junction_is_nearby() -> None:
    found = relations_of(crossroads_network(), "north_in")
    # Both ways round: over the arm's dead end back, and as the way out of the middle.
    assert found["south_out"][:2] == ("downstream", 1)
    assert found["north_out"][:2] == ("upstream", 1)
    dead_ends = segments_table(
        {
            "in": ("a", "m", [point(0), point(100)]),
            "other": ("b", "m", [point(100, 100), point(100)]),
            "out": ("m", "c", [point(100), point(200)]),
        }
    )
    found = relations_of(network_of(dead_ends), "in")
    assert found["other"][:2] == ("nearby", 2)
    assert math.isnan(found["other"][2])


def test_what_is_not_linked_within_reach_is_elsewhere() -> None:
    network = detector_network(9)
    found = relations_of(network, "d0")
    assert [found[f"d{place}"][0] for place in (5, 6)] == ["downstream", "elsewhere"]


def test_without_lengths_the_distance_is_unknown_but_next_to_the_segment() -> None:
    found = relations_of(detector_network(3), "d0")
    assert list(found["d1"]) == ["downstream", 1, 0]
    *way, metres = found["d2"]
    assert way == ["downstream", 2]
    assert math.isnan(metres)


@pytest.mark.parametrize(
    ("b_m", "d_m", "expected"),
    [
        (300.0, 100.0, ("upstream", 2, 100)),
        (100.0, 300.0, ("downstream", 2, 100)),
        (200.0, 200.0, ("downstream", 2, 200)),
        (300.0, np.nan, ("downstream", 2, 300)),
        (np.nan, 100.0, ("downstream", 2, None)),
    ],
)
def test_on_a_ring_as_many_links_ahead_as_behind_the_nearer_way_in_metres_counts(
    b_m: float, d_m: float, expected: tuple[str, int, float | None]
) -> None:
    corners = [point(0), point(100), point(100, 100), point(0, 100), point(0)]
    ring = segments_table(
        {
            name: (f"n{place}", f"n{(place + 1) % 4}", corners[place : place + 2])
            for place, name in enumerate("abcd")
        }
    )
    lengths = pd.Series([100.0, b_m, 100.0, d_m])
    found = relations_of(network_of(ring.assign(length_m=lengths)), "a")
    assert [found[name][:2] for name in "bd"] == [("downstream", 1), ("upstream", 1)]
    *way, metres = found["c"]
    assert (*way, None if math.isnan(metres) else metres) == expected


@pytest.mark.parametrize("length_m", [30.0, 300.0])
def test_of_ways_with_as_many_links_the_shortest_counts(length_m: float) -> None:
    square = segments_table(
        {
            "a": ("n0", "n1", [point(0), point(100)]),
            "b": ("n1", "n2", [point(100), point(200, 50)]),
            "c": ("n1", "n2", [point(100), point(200, -50)]),
            "d": ("n2", "n3", [point(200), point(300)]),
        }
    )
    lengths = pd.Series([100.0, length_m, 100.0, 100.0])
    found = relations_of(network_of(square.assign(length_m=lengths)), "a")
    assert found["d"] == ("downstream", 2, min(length_m, 100))
    assert np.isfinite([metres for _, _, metres in found.values()]).all()
