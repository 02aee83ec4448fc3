import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from roadgraph.dataset.dataset import RoadGraph
from roadgraph.models.graph import mean_operator, neighbours_of, normalised_graph, road_graph
from tests.models.toy import random_links


def roads(source: list[int], target: list[int], weight: list[float], segments: int) -> RoadGraph:
    weights: NDArray[np.float32] = np.array(weight, dtype=np.float32)
    return RoadGraph(np.array(source), np.array(target), weights, segments, "")


ROADS = roads([0, 1], [1, 2], [1.0, 1.0], 3)
FORK = roads([0, 1, 2], [2, 2, 3], [1.0, 3.0, 5.0], 4)


def test_the_road_graph_hears_both_directions() -> None:
    dense = road_graph(ROADS, "network").symmetric.gather.to_dense()
    side = 1 / 6**0.5
    expected = torch.tensor([[1 / 2, side, 0], [side, 1 / 3, side], [0, side, 1 / 2]])
    torch.testing.assert_close(dense, expected)


def test_a_link_that_exists_in_both_directions_counts_once() -> None:
    both = road_graph(roads([0, 1], [1, 0], [1.0, 1.0], 2), "network")
    torch.testing.assert_close(both.symmetric.gather.to_dense(), torch.full((2, 2), 0.5))
    assert both.neighbours.target.tolist() == [0, 0, 1, 1]


def test_upstream_is_the_weighted_mean_over_those_that_lead_into_a_segment() -> None:
    dense = road_graph(FORK, "network").upstream.gather.to_dense()
    torch.testing.assert_close(
        dense,
        torch.tensor([[0, 0, 0, 0], [0, 0, 0, 0], [1 / 4, 3 / 4, 0, 0], [0, 0, 1, 0]]),
    )


def test_downstream_is_the_weighted_mean_over_those_that_a_segment_leads_to() -> None:
    dense = road_graph(FORK, "network").downstream.gather.to_dense()
    torch.testing.assert_close(
        dense, torch.tensor([[0, 0, 1.0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0]])
    )


def test_a_link_given_twice_counts_once_with_its_larger_weight() -> None:
    graph = road_graph(roads([0, 0, 1], [2, 2, 2], [1.0, 3.0, 3.0], 3), "network")
    assert graph.upstream.gather.to_dense()[2].tolist() == [0.5, 0.5, 0]


def test_a_segment_is_not_upstream_of_itself() -> None:
    operator = mean_operator(torch.tensor([[0, 1], [1, 1]]), torch.tensor([1.0, 9.0]), 2)
    assert operator.gather.to_dense().tolist() == [[0, 0], [1, 0]]


def test_links_of_no_weight_leave_the_mean_empty() -> None:
    operator = mean_operator(torch.tensor([[0], [1]]), torch.tensor([0.0]), 2)
    assert operator.gather.to_dense().tolist() == [[0, 0], [0, 0]]


def test_the_control_hears_itself_alone() -> None:
    graph = road_graph(ROADS, "self_loops")
    torch.testing.assert_close(graph.symmetric.gather.to_dense(), torch.eye(3))
    assert not graph.upstream.gather.to_dense().any()
    assert not graph.downstream.gather.to_dense().any()
    assert graph.neighbours.source.tolist() == graph.neighbours.target.tolist() == [0, 1, 2]


def test_scatter_is_the_transpose_of_gather() -> None:
    graph = normalised_graph(torch.tensor([[0, 1, 0], [1, 2, 2]]), torch.tensor([1.0, 2, 3]), 3)
    for operator in (graph.symmetric, graph.upstream, graph.downstream):
        gather, scatter = operator.gather.to_dense(), operator.scatter.to_dense()
        torch.testing.assert_close(scatter, gather.T)
        assert not torch.equal(scatter, gather)


def test_neighbours_are_sorted_by_target_and_hear_themselves_once() -> None:
    neighbours = neighbours_of(torch.tensor([[2, 0, 1, 1], [1, 2, 0, 1]]), 3)
    assert neighbours.target.tolist() == [0, 0, 1, 1, 2, 2]
    assert neighbours.source.tolist() == [1, 0, 2, 1, 0, 2]


def test_without_self_loops_those_that_are_there_stay() -> None:
    neighbours = neighbours_of(torch.tensor([[1, 1], [1, 0]]), 3, self_loops=False)
    assert neighbours.target.tolist() == [0, 1]
    assert neighbours.source.tolist() == [1, 1]


def test_a_matrix_of_heads_holds_every_weight_at_its_pair_and_head() -> None:
    index, _ = random_links(5, 9, 3)
    neighbours = neighbours_of(index, 5)
    weights = torch.rand(len(neighbours.source), 2)
    expected = torch.zeros(10, 10)
    for pair, (source, target) in enumerate(
        zip(neighbours.source.tolist(), neighbours.target.tolist(), strict=True)
    ):
        for head in range(2):
            expected[2 * target + head, 2 * source + head] = weights[pair, head]
    pairs = neighbours.of_heads(2)
    gather = pairs.gather.matrix(weights)
    torch.testing.assert_close(gather.to_dense(), expected)
    torch.testing.assert_close(pairs.scatter.matrix(weights).to_dense(), expected.T)
    torch.testing.assert_close(pairs.gather.by_pair(gather.values(), weights), weights)


def test_moving_a_graph_moves_all_of_it() -> None:
    graph = road_graph(FORK, "network").to("meta")
    parts = (graph.symmetric, graph.upstream, graph.downstream)
    tensors = [part for operator in parts for part in (operator.gather, operator.scatter)]
    tensors += [graph.neighbours.source, graph.neighbours.target]
    assert {tensor.device.type for tensor in tensors} == {"meta"}


def test_an_unknown_kind_is_refused_with_its_name() -> None:
    with pytest.raises(ValueError, match=r"needs kind 'network' or 'self_loops' \(found 'grid'\)"):
        road_graph(ROADS, "grid")
