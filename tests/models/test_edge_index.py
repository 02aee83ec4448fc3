"""The same lists of links as PyG's own functions make, number for number."""

import torch
from torch_geometric.nn.conv.gcn_conv import gcn_norm
from torch_geometric.utils import add_remaining_self_loops, coalesce, remove_self_loops

from roadgraph.models.edge_index import (
    csr_of_links,
    row_begins,
    strongest_links,
    symmetric_weights,
    weight_into,
    with_self_loops,
    without_self_loops,
)

SEGMENTS = 7


def links_with_doubles_and_loops(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Return 40 links of 7 segments, more than there are pairs of most segments; none has a 6."""
    generator = torch.Generator().manual_seed(seed)
    index = torch.randint(0, SEGMENTS - 1, (2, 40), generator=generator)
    return index, torch.rand(40, generator=generator) + 0.1


def assert_same_links(
    ours: tuple[torch.Tensor, torch.Tensor], theirs: tuple[torch.Tensor, torch.Tensor | None]
) -> None:
    assert torch.equal(ours[0], theirs[0])
    assert theirs[1] is not None
    assert torch.equal(ours[1], theirs[1])


def test_self_loops_are_left_out_as_in_pyg() -> None:
    index, weight = links_with_doubles_and_loops()
    assert (index[0] == index[1]).any()
    assert_same_links(without_self_loops(index, weight), remove_self_loops(index, weight))


def test_self_loops_that_are_missing_are_added_as_in_pyg() -> None:
    index, weight = links_with_doubles_and_loops()
    assert_same_links(
        with_self_loops(index, weight, SEGMENTS, 2.0),
        add_remaining_self_loops(index, weight, fill_value=2.0, num_nodes=SEGMENTS),
    )


def test_a_self_loop_keeps_its_own_weight() -> None:
    index, weight = torch.tensor([[1, 0], [1, 1]]), torch.tensor([5.0, 3.0])
    links, weights = with_self_loops(index, weight, 3, 1.0)
    assert links.tolist() == [[0, 0, 1, 2], [1, 0, 1, 2]]
    assert weights.tolist() == [3.0, 1.0, 5.0, 1.0]


def test_the_weights_into_a_segment_are_added() -> None:
    index, weight = torch.tensor([[0, 1, 2], [2, 2, 0]]), torch.tensor([1.0, 3.0, 5.0])
    assert weight_into(index, weight, 3).tolist() == [5.0, 0.0, 4.0]


def test_weights_are_normalised_as_in_pyg() -> None:
    index, weight = links_with_doubles_and_loops()
    expected = gcn_norm(index, weight, num_nodes=SEGMENTS, add_self_loops=False)
    assert_same_links((index, symmetric_weights(index, weight, SEGMENTS)), expected)


def test_of_several_links_of_a_pair_the_strongest_is_kept_as_in_pyg() -> None:
    index, weight = links_with_doubles_and_loops()
    found = strongest_links(index, weight, SEGMENTS)
    assert len(found[1]) < len(weight)
    assert_same_links(found, coalesce(index, weight, num_nodes=SEGMENTS, reduce="max"))


def test_no_link_at_all_stays_none() -> None:
    index, weight = torch.empty((2, 0), dtype=torch.int64), torch.empty(0)
    assert strongest_links(index, weight, 3)[0].shape == (2, 0)
    assert csr_of_links(index, weight, 3).to_dense().tolist() == [[0.0] * 3] * 3


def test_the_matrix_has_a_sorted_row_for_each_source_with_the_sums_of_double_links() -> None:
    index, weight = links_with_doubles_and_loops()
    links, sums = coalesce(index, weight, num_nodes=SEGMENTS, reduce="sum")
    matrix = csr_of_links(index, weight, SEGMENTS)
    assert matrix.crow_indices().diff().tolist() == links[0].bincount(minlength=SEGMENTS).tolist()
    assert torch.equal(matrix.col_indices(), links[1])
    torch.testing.assert_close(matrix.values(), sums)


def test_a_row_without_entries_begins_where_the_next_one_does() -> None:
    assert row_begins(torch.tensor([0, 0, 2]), 4).tolist() == [0, 2, 2, 3, 3]
