import pytest
import torch

from roadgraph.models import sparse
from roadgraph.models.graph import Operator, neighbours_of, normalised_graph
from roadgraph.models.sparse import attention_product, sparse_product
from tests.models.toy import random_links


def test_the_gradient_of_the_sparse_product_is_exact() -> None:
    index, weight = random_links(6, 15, 1)
    single = normalised_graph(index, weight, 6).upstream
    double = Operator(single.gather.double(), single.scatter.double())
    x = torch.randn(6, 2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda value: sparse_product(double, value), (x,))


@pytest.mark.parametrize("slices_a_block", [1, 2, 5])
def test_a_sparse_product_is_that_of_the_full_matrix(
    slices_a_block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    index, weight = random_links(6, 15, 1)
    operator = normalised_graph(index, weight, 6).downstream
    x = torch.randn(6, 5, 3)
    monkeypatch.setattr(sparse, "BLOCK_BYTES", slices_a_block * x[:, 0].nbytes)
    expected = torch.einsum("ij,jbf->ibf", operator.gather.to_dense(), x)
    torch.testing.assert_close(sparse_product(operator, x), expected)
    # Memory that held something else, and an order of memory that is not its own.
    x = torch.randn(3, 5, 6).permute(2, 1, 0)
    expected = torch.einsum("ij,jbf->ibf", operator.gather.to_dense(), x)
    torch.testing.assert_close(sparse_product(operator, x), expected)


def test_the_gradients_of_the_attention_product_are_exact() -> None:
    index, _ = random_links(6, 15, 1)
    neighbours = neighbours_of(index, 6)
    pairs = neighbours.of_heads(2)
    weights = torch.rand(len(neighbours.source), 3, 2, dtype=torch.float64, requires_grad=True)
    x = torch.randn(6, 3, 2, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda left, right: attention_product(left, right, pairs), (weights, x)
    )


def test_an_attention_product_sums_weighted_neighbours() -> None:
    neighbours = neighbours_of(torch.tensor([[0, 2], [1, 1]]), 3, self_loops=False)
    x = torch.tensor([1.0, 10.0, 100.0]).view(3, 1, 1, 1)
    weights = torch.tensor([2.0, 3.0]).view(2, 1, 1)
    answer = attention_product(weights, x, neighbours.of_heads(1))
    assert answer.flatten().tolist() == [0, 302, 0]
