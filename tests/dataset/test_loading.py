import numpy as np

from roadgraph.dataset.loading import road_graph_of
from tests.toy import crossroads_network, detector_network, straight_network


def test_a_road_graph_has_the_places_of_the_networks_order() -> None:
    roads = road_graph_of(straight_network())
    assert (roads.source.tolist(), roads.target.tolist()) == ([0, 1], [1, 2])
    assert roads.segments == 3


def test_midpoints_are_as_far_apart_as_on_the_ground() -> None:
    straight = road_graph_of(straight_network()).midpoints_m
    assert straight is not None
    np.testing.assert_allclose(np.diff(straight, axis=0), [[100, 0], [100, 0]], atol=1)
    network = crossroads_network()
    crossing = road_graph_of(network).midpoints_m
    assert crossing is not None
    north, south = (crossing[network.segment_ids.index(f"{arm}_in")] for arm in ("north", "south"))
    # From the middle of one arm to that of the other, 50 m each.
    np.testing.assert_allclose(north - south, [0, 100], atol=1)


def test_without_geometry_there_are_no_midpoints() -> None:
    assert road_graph_of(detector_network()).midpoints_m is None
