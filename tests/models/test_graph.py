import numpy as np
import pytest
import torch

from roadgraph.dataset.dataset import RoadGraph
from roadgraph.models.graph import normalised_graph, road_graph

ROADS = RoadGraph(
    source=np.array([0, 1]),
    target=np.array([1, 2]),
    weight=np.array([1.0, 1.0], dtype=np.float32),
    segments=3,
    fingerprint="",
)


def test_the_road_graph_hears_both_directions() -> None:
    dense = road_graph(ROADS, "network").gather.to_dense()
    side = 1 / 6**0.5
    expected = torch.tensor([[1 / 2, side, 0], [side, 1 / 3, side], [0, side, 1 / 2]])
    torch.testing.assert_close(dense, expected)


def test_a_link_that_exists_in_both_directions_counts_once() -> None:
    both = RoadGraph(np.array([0, 1]), np.array([1, 0]), np.ones(2, dtype=np.float32), 2, "")
    torch.testing.assert_close(
        road_graph(both, "network").gather.to_dense(), torch.full((2, 2), 0.5)
    )


def test_self_loops_alone_are_the_identity() -> None:
    torch.testing.assert_close(road_graph(ROADS, "self_loops").gather.to_dense(), torch.eye(3))


def test_scatter_is_the_transpose_of_gather() -> None:
    graph = normalised_graph(torch.tensor([[0, 1, 0], [1, 2, 2]]), torch.tensor([1.0, 2, 3]), 3)
    torch.testing.assert_close(graph.scatter.to_dense(), graph.gather.to_dense().T)
    assert not torch.equal(graph.scatter.to_dense(), graph.gather.to_dense())


def test_an_unknown_kind_is_refused_with_its_name() -> None:
    with pytest.raises(ValueError, match=r"needs kind 'network' or 'self_loops' \(found 'grid'\)"):
        road_graph(ROADS, "grid")
