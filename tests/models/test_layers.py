import pytest
import torch
from torch_geometric.nn import GCNConv as PyGGCNConv

from roadgraph.models.graph import Graph, normalised_graph
from roadgraph.models.layers import GCNConv, LinearLayer


def random_links(segments: int, links: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    index = torch.randint(0, segments, (2, links), generator=generator)
    index = torch.unique(index[:, index[0] != index[1]], dim=1)
    return index, torch.rand(index.shape[1], generator=generator) + 0.1


def with_weights(layer: GCNConv, weight: list[list[float]], bias: list[float]) -> GCNConv:
    layer.load_state_dict({"lin.weight": torch.tensor(weight), "bias": torch.tensor(bias)})
    return layer


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


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("weighted", [False, True])
def test_same_numbers_and_gradients_as_pyg_on_random_graphs(seed: int, weighted: bool) -> None:
    segments, slices = 17, 3
    index, weight = random_links(segments, 60, seed)
    weights = weight if weighted else None
    torch.manual_seed(seed)
    theirs = PyGGCNConv(5, 7)
    ours = GCNConv(5, 7)
    ours.load_state_dict(theirs.state_dict())
    graph = normalised_graph(index, weights, segments)
    x = torch.randn(segments, slices, 5, requires_grad=True)
    y = x.detach().clone().requires_grad_()
    answer = ours(x, graph)
    expected = torch.stack([theirs(y[:, place], index, weights) for place in range(slices)], dim=1)
    torch.testing.assert_close(answer, expected, atol=1e-5, rtol=1e-5)
    pull = torch.randn_like(answer)
    answer.backward(pull)
    expected.backward(pull)
    torch.testing.assert_close(x.grad, y.grad, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(ours.lin.weight.grad, theirs.lin.weight.grad, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(ours.bias.grad, theirs.bias.grad, atol=1e-4, rtol=1e-4)


def test_self_loops_that_are_there_already_count_as_in_pyg() -> None:
    index, weight = torch.tensor([[0, 1, 1], [1, 1, 2]]), torch.tensor([1.0, 5.0, 2.0])
    theirs = PyGGCNConv(2, 3)
    ours = GCNConv(2, 3)
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(3, 1, 2)
    torch.testing.assert_close(
        ours(x, normalised_graph(index, weight, 3))[:, 0], theirs(x[:, 0], index, weight)
    )


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


def test_a_state_dict_moves_both_ways() -> None:
    ours, theirs = GCNConv(4, 6), PyGGCNConv(4, 6)
    theirs.load_state_dict(ours.state_dict())
    ours.load_state_dict(theirs.state_dict())
    torch.testing.assert_close(ours.lin.weight, theirs.lin.weight)


def test_the_gradient_of_the_sparse_product_is_exact() -> None:
    index, weight = random_links(6, 15, 1)
    graph = normalised_graph(index, weight, 6)
    double = Graph(graph.gather.double(), graph.scatter.double())
    layer = GCNConv(2, 3).double()
    x = torch.randn(6, 2, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda value: layer(value, double), (x,))


def test_the_linear_layer_does_not_look_at_the_graph() -> None:
    layer = LinearLayer(4, 6)
    x = torch.randn(5, 2, 4)
    index, _ = random_links(5, 8, 0)
    graph = normalised_graph(index, None, 5)
    torch.testing.assert_close(layer(x, graph), layer(x, None))
