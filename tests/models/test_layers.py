import pytest
import torch
from torch import nn
from torch_geometric.nn import GATConv as PyGGATConv
from torch_geometric.nn import GCNConv as PyGGCNConv

from roadgraph.models.graph import Graph, normalised_graph
from roadgraph.models.layers import GATConv, GCNConv
from tests.models.toy import random_links

SELF_LOOPS = [pytest.param(1.0, id="self-loops"), pytest.param(None, id="no-self-loops")]


def with_weights(layer: GCNConv, weight: list[list[float]], bias: list[float]) -> GCNConv:
    layer.load_state_dict({"lin.weight": torch.tensor(weight), "bias": torch.tensor(bias)})
    return layer


def assert_same_gradients(ours: nn.Module, theirs: nn.Module) -> None:
    expected = dict(theirs.named_parameters())
    for name, value in ours.named_parameters():
        torch.testing.assert_close(value.grad, expected[name].grad, atol=1e-4, rtol=1e-4)


def assert_same_numbers_and_gradients(
    ours: nn.Module,
    graph: Graph,
    theirs: nn.Module,
    links: tuple[torch.Tensor, torch.Tensor | None],
    segments: int,
    slices: int = 3,
) -> None:
    """Give both layers the same slices; PyG's takes one after the other."""
    x = torch.randn(segments, slices, 5, requires_grad=True)
    y = x.detach().clone().requires_grad_()
    answer = ours(x, graph)
    expected = torch.stack([theirs(y[:, place], *links) for place in range(slices)], dim=1)
    torch.testing.assert_close(answer, expected, atol=1e-5, rtol=1e-5)
    pull = torch.randn_like(answer)
    answer.backward(pull)
    expected.backward(pull)
    torch.testing.assert_close(x.grad, y.grad, atol=1e-5, rtol=1e-5)
    assert_same_gradients(ours, theirs)


def test_a_path_of_three_nodes_by_hand() -> None:
    # 0 - 1 - 2 in both directions with self-loops: degrees 2, 3, 2.
    index = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])
    graph = normalised_graph(index, None, 3)
    layer = with_weights(GCNConv(1, 1), [[2.0]], [1.0])
    x = torch.tensor([[[1.0]], [[10.0]], [[100.0]]])  # [N, B, F]
    side = 1 / 6**0.5
    expected = torch.tensor(
        [
            1 / 2 + 10 * side,
            1 * side + 10 / 3 + 100 * side,
            10 * side + 100 / 2,
        ]
    )
    torch.testing.assert_close(layer(x, graph).squeeze(), 2 * expected + 1)


def test_a_message_goes_with_the_direction_of_the_link() -> None:
    graph = normalised_graph(torch.tensor([[0], [1]]), None, 2)
    layer = with_weights(GCNConv(1, 1), [[1.0]], [0.0])
    first, second = layer(torch.tensor([[[3.0]], [[0.0]]]), graph).squeeze()
    assert first == 3  # it hears itself alone
    assert second > 0


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("self_loop_weight", SELF_LOOPS)
def test_gcn_gives_pygs_numbers_and_gradients_on_random_graphs(
    seed: int, weighted: bool, self_loop_weight: float | None
) -> None:
    segments = 17
    index, weight = random_links(segments, 60, seed)
    weights = weight if weighted else None
    torch.manual_seed(seed)
    theirs = PyGGCNConv(5, 7, add_self_loops=self_loop_weight is not None)
    ours = GCNConv(5, 7)
    ours.load_state_dict(theirs.state_dict())
    graph = normalised_graph(index, weights, segments, self_loop_weight)
    assert_same_numbers_and_gradients(ours, graph, theirs, (index, weights), segments)


@pytest.mark.parametrize("self_loop_weight", SELF_LOOPS)
def test_self_loops_that_are_there_already_count_as_in_pyg(self_loop_weight: float | None) -> None:
    index, weight = torch.tensor([[0, 1, 1], [1, 1, 2]]), torch.tensor([1.0, 5.0, 2.0])
    added = self_loop_weight is not None
    graph = normalised_graph(index, weight, 3, self_loop_weight)
    x = torch.randn(3, 1, 2)
    gcn, gat = PyGGCNConv(2, 3, add_self_loops=added), PyGGATConv(2, 3, add_self_loops=added)
    ours, attention = GCNConv(2, 3), GATConv(2, 3, heads=1)
    ours.load_state_dict(gcn.state_dict())
    attention.load_state_dict(gat.state_dict())
    torch.testing.assert_close(ours(x, graph)[:, 0], gcn(x[:, 0], index, weight))
    torch.testing.assert_close(attention(x, graph)[:, 0], gat(x[:, 0], index))


def test_self_loops_of_weight_2_are_pygs_improved_ones() -> None:
    index, weight = random_links(9, 30, 2)
    theirs = PyGGCNConv(2, 3, improved=True)
    ours = GCNConv(2, 3)
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(9, 1, 2)
    torch.testing.assert_close(
        ours(x, normalised_graph(index, weight, 9, self_loop_weight=2.0))[:, 0],
        theirs(x[:, 0], index, weight),
    )


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("heads", [1, 4])
@pytest.mark.parametrize("self_loop_weight", SELF_LOOPS)
def test_gat_gives_pygs_numbers_and_gradients_on_random_graphs(
    seed: int, weighted: bool, heads: int, self_loop_weight: float | None
) -> None:
    # 60 links of 30 segments: some have no neighbour at all
    segments = 30
    index, weight = random_links(segments, 60, seed)
    torch.manual_seed(seed)
    theirs = PyGGATConv(5, 6, heads=heads, add_self_loops=self_loop_weight is not None)
    ours = GATConv(5, 6, heads)
    ours.load_state_dict(theirs.state_dict())
    # weights are PyG's edge features, which its layer leaves out unless it has an ``edge_dim``
    weights = weight if weighted else None
    graph = normalised_graph(index, weights, segments, self_loop_weight)
    assert_same_numbers_and_gradients(ours, graph, theirs, (index, weights), segments)


def test_attention_of_two_neighbours_by_hand() -> None:
    # 1 hears 0 and itself; logits 2 * 3 + 1 and 1 * 3 + 1 through a head of one feature
    layer = GATConv(1, 1, heads=1)
    layer.load_state_dict(
        {
            "lin.weight": torch.tensor([[1.0]]),
            "att_src": torch.tensor([[[3.0]]]),
            "att_dst": torch.tensor([[[1.0]]]),
            "bias": torch.tensor([10.0]),
        }
    )
    graph = normalised_graph(torch.tensor([[0], [1]]), None, 2)
    first, second = layer(torch.tensor([[[2.0]], [[1.0]]]), graph).flatten()
    own = 1 / (1 + torch.tensor(3.0).exp())
    torch.testing.assert_close(first, torch.tensor(12.0))
    torch.testing.assert_close(second, 10 + own + 2 * (1 - own))


def test_attention_stays_finite_where_logits_are_huge() -> None:
    index, _ = random_links(9, 30, 2)
    layer = GATConv(2, 3, heads=2)
    x = (1e6 * torch.randn(9, 1, 2)).requires_grad_()
    answer = layer(x, normalised_graph(index, None, 9))
    answer.sum().backward()
    assert answer.isfinite().all()
    assert x.grad is not None
    assert x.grad.isfinite().all()


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (GCNConv(4, 6), PyGGCNConv(4, 6)),
        (GATConv(4, 3, heads=2), PyGGATConv(4, 3, heads=2)),
    ],
)
def test_a_state_dict_moves_both_ways(ours: nn.Module, theirs: nn.Module) -> None:
    index, _ = random_links(6, 15, 1)
    graph = normalised_graph(index, None, 6)
    x = torch.randn(6, 1, 4)
    for source, target in ((ours, theirs), (theirs, ours)):
        for value in source.parameters():
            nn.init.normal_(value)
        target.load_state_dict(source.state_dict())
        torch.testing.assert_close(ours(x, graph)[:, 0], theirs(x[:, 0], index))


@pytest.mark.parametrize("layer", [GCNConv(4, 6), GATConv(4, 3, heads=2)])
def test_half_precision_counts_sums_over_neighbours_in_full(layer: nn.Module) -> None:
    index, _ = random_links(9, 30, 1)
    graph = normalised_graph(index, None, 9)
    x = torch.randn(9, 2, 4, requires_grad=True)
    exact = layer(x, graph)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        answer = layer(x, graph)
        answer.sum().backward()
    assert answer.dtype == torch.float32
    torch.testing.assert_close(answer, exact, atol=0.05, rtol=0.05)
    assert x.grad is not None
    assert x.grad.isfinite().all()


@pytest.mark.parametrize(("inputs", "outputs"), [(2, 7), (7, 2), (4, 4)])
@pytest.mark.parametrize("learned_input", [False, True])
@pytest.mark.parametrize("with_gradient", [False, True])
def test_gcn_sums_before_or_behind_its_weights_with_the_same_answer(
    inputs: int, outputs: int, learned_input: bool, with_gradient: bool
) -> None:
    index, weight = random_links(9, 30, 2)
    graph = normalised_graph(index, weight, 9)
    torch.manual_seed(0)
    ours, theirs = GCNConv(inputs, outputs), PyGGCNConv(inputs, outputs)
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(9, 2, inputs, requires_grad=learned_input)
    with torch.set_grad_enabled(with_gradient):
        answer = ours(x, graph)
        expected = torch.stack([theirs(x[:, place], index, weight) for place in range(2)], dim=1)
    torch.testing.assert_close(answer, expected, atol=1e-5, rtol=1e-5)
    if with_gradient:
        answer.square().sum().backward()
        expected.square().sum().backward()
        assert_same_gradients(ours, theirs)
