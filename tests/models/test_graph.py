import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from roadgraph.dataset.dataset import RoadGraph
from roadgraph.dataset.tiles import tiles_of
from roadgraph.models.graph import (
    Graph,
    mean_operator,
    neighbours_of,
    normalised_graph,
    road_graph,
)
from roadgraph.models.multitask import MultiTaskModel
from roadgraph.settings import Backbone, Size
from tests.models.toy import model_of, random_links


def roads(source: list[int], target: list[int], weight: list[float], segments: int) -> RoadGraph:
    weights: NDArray[np.float32] = np.array(weight, dtype=np.float32)
    return RoadGraph(np.array(source), np.array(target), weights, segments, "")


def random_roads(segments: int, links: int, seed: int) -> RoadGraph:
    index, weight = random_links(segments, links, seed)
    source, target = index.numpy()
    return RoadGraph(source, target, weight.numpy(), segments, "")


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


def test_a_tile_has_the_weights_of_the_whole_graph_among_its_segments() -> None:
    whole = road_graph(random_roads(9, 30, 1), "network")
    places = torch.tensor([7, 2, 4, 0])
    tile = whole.tile(places, own=1)
    for name in ("symmetric", "upstream", "downstream"):
        for way in ("gather", "scatter"):
            dense = getattr(getattr(whole, name), way).to_dense()[places][:, places]
            torch.testing.assert_close(getattr(getattr(tile, name), way).to_dense(), dense)
    pairs = zip(whole.neighbours.target.tolist(), whole.neighbours.source.tolist(), strict=True)
    inside = {place: row for row, place in enumerate(places.tolist())}
    expected = sorted((inside[a], inside[b]) for a, b in pairs if {a, b} <= set(inside))
    target, source = tile.neighbours.target.tolist(), tile.neighbours.source.tolist()
    assert sorted(zip(target, source, strict=True)) == expected
    assert target == sorted(target)
    assert tile.neighbours.segments == 4
    assert (tile.own, tile.places) == (1, places)


def test_the_columns_of_a_tile_are_in_ascending_order() -> None:
    whole = road_graph(random_roads(9, 30, 1), "network")
    gather = whole.tile(torch.tensor([7, 2, 4, 0, 1]), own=5).symmetric.gather
    for begin, end in zip(gather.crow_indices()[:-1], gather.crow_indices()[1:], strict=True):
        columns = gather.col_indices()[begin:end].tolist()
        assert columns == sorted(columns)


def tiles(model: MultiTaskModel, whole: Graph, roads: RoadGraph, segments: int) -> list[Graph]:
    cut = tiles_of(roads, segments, model.hops)
    return [whole.tile(torch.from_numpy(tile.places), tile.own) for tile in cut]


LOCAL = pytest.mark.parametrize(
    ("backbone", "size"),
    [(backbone, size) for backbone in ("mlp", "gcn", "gat") for size in ("simple", "enhanced")],
)


@LOCAL
@settings(max_examples=15)
@given(st.integers(5, 40), st.integers(0, 80), st.integers(1, 20), st.integers(0, 1000))
def test_the_answers_of_the_tiles_are_those_of_the_whole_graph(
    backbone: Backbone, size: Size, segments: int, links: int, tile_segments: int, seed: int
) -> None:
    some = random_roads(segments, links, seed)
    whole = road_graph(some, "network", self_loop_weight=2.0)
    model = model_of(backbone, size).eval()
    x = torch.randn(2, 2, segments, 10, generator=torch.Generator().manual_seed(seed))
    expected = model(x, whole)
    for tile in tiles(model, whole, some, tile_segments):
        assert tile.places is not None
        answers = model(x[:, :, tile.places], tile)
        for name, answer in answers.items():
            own = expected[name][:, :, tile.places[: tile.own]]
            torch.testing.assert_close(answer[:, :, : tile.own], own, atol=1e-5, rtol=1e-5)


@LOCAL
@pytest.mark.parametrize("norm", ["layer", "none"])
def test_the_gradients_of_all_tiles_are_those_of_the_whole_graph(
    backbone: Backbone, size: Size, norm: str
) -> None:
    some = random_roads(30, 60, 4)
    whole = road_graph(some, "network")
    model = model_of(backbone, size, norm=norm, dropout=0.0).train()
    x = torch.randn(2, 2, 30, 10)
    gradients = []
    for pieces in ([whole], tiles(model, whole, some, 7)):
        model.zero_grad()
        for piece in pieces:
            seen = x if piece.places is None else x[:, :, piece.places]
            answers = model(seen, piece)
            sum(answer[:, :, : piece.own].square().sum() for answer in answers.values()).backward()
        found = torch.nn.utils.parameters_to_vector(
            value.grad for value in model.parameters() if value.grad is not None
        )
        gradients.append(found)
    scale = float(gradients[0].abs().max())
    torch.testing.assert_close(gradients[1], gradients[0], atol=1e-5 * scale, rtol=1e-4)


def test_a_tile_of_a_model_that_hears_all_hears_its_tile_alone() -> None:
    """As far as its links go that is what the whole graph says, but for the hubs of the city."""
    path = roads(list(range(9)), list(range(1, 10)), [1.0] * 9, 10)
    whole = road_graph(path, "network")
    model = model_of("roadnet", "simple", segments=10, segment_embedding=3).eval()
    assert isinstance(model.embedding, torch.nn.Parameter)
    torch.nn.init.normal_(model.embedding)
    places = torch.tensor([2, 0, 1, 3, 4])
    alone = road_graph(roads([0, 1, 2, 3], [1, 2, 3, 4], [1.0] * 4, 5), "network")
    x = torch.randn(2, 2, 10, 10)
    own = model_of("roadnet", "simple", segments=5, segment_embedding=3).eval()
    state = model.state_dict()
    own.load_state_dict({**state, "embedding": state["embedding"][:5]})
    tile = whole.tile(places, own=1)
    expected = own(x[:, :, :5], alone)["congestion"][:, :, 2]
    found = model(x[:, :, places], tile)["congestion"][:, :, 0]
    # The mean over those upstream is one segment's in both, also at the ends of the road.
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_moving_a_graph_moves_all_of_it() -> None:
    graph = road_graph(FORK, "network").tile(torch.arange(4), own=2).to("meta")
    assert graph.places is not None
    assert (graph.places.device.type, graph.own) == ("meta", 2)
    parts = (graph.symmetric, graph.upstream, graph.downstream)
    tensors = [part for operator in parts for part in (operator.gather, operator.scatter)]
    tensors += [graph.neighbours.source, graph.neighbours.target]
    assert {tensor.device.type for tensor in tensors} == {"meta"}


def test_an_unknown_kind_is_refused_with_its_name() -> None:
    with pytest.raises(ValueError, match=r"needs kind 'network' or 'self_loops' \(found 'grid'\)"):
        road_graph(ROADS, "grid")
