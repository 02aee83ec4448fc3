"""Links as PyG's ``edge_index [2, E]``, sources above targets, with a weight each.

The same numbers as the functions of ``torch_geometric.utils``, which the tests hold them to, in
torch alone: PyG takes longer to import than a forecast to make, and models without graph layers
ask nothing else of it.
"""

from __future__ import annotations

import warnings

import torch


def without_self_loops(
    edge_index: torch.Tensor, edge_weight: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the links that lead from a segment to another, and their weights."""
    kept = edge_index[0] != edge_index[1]
    return edge_index[:, kept], edge_weight[kept]


def with_self_loops(
    edge_index: torch.Tensor, edge_weight: torch.Tensor, segments: int, weight: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the links with one self-loop a segment, behind all others, and their weights.

    Args:
        edge_index: ``[2, E]``.
        edge_weight: ``[E]``.
        segments: ``N``.
        weight: of a self-loop where there is none yet.
    """
    there = edge_index[0] == edge_index[1]
    own = edge_weight.new_full((segments,), weight)
    own[edge_index[0, there]] = edge_weight[there]
    places = torch.arange(segments, device=edge_index.device)
    links, weights = without_self_loops(edge_index, edge_weight)
    return torch.cat([links, places.expand(2, -1)], dim=1), torch.cat([weights, own])


def weight_into(edge_index: torch.Tensor, edge_weight: torch.Tensor, segments: int) -> torch.Tensor:
    """Return the sum of the weights that lead into each segment, ``[N]``."""
    return edge_weight.new_zeros(segments).scatter_add_(0, edge_index[1], edge_weight)


def symmetric_weights(
    edge_index: torch.Tensor, edge_weight: torch.Tensor, segments: int
) -> torch.Tensor:
    """Return the entries of ``D^-1/2 A D^-1/2``, ``[E]``; ``D`` is :func:`weight_into`."""
    scale = weight_into(edge_index, edge_weight, segments).pow_(-0.5)
    scale.masked_fill_(scale == float("inf"), 0)
    return scale[edge_index[0]] * edge_weight * scale[edge_index[1]]


def strongest_links(
    edge_index: torch.Tensor, edge_weight: torch.Tensor, segments: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return every link once, sorted by source and target, with the largest of its weights."""
    pairs, place = torch.unique(edge_index[0] * segments + edge_index[1], return_inverse=True)
    largest = edge_weight.new_full((len(pairs),), float("-inf"))
    largest.scatter_reduce_(0, place, edge_weight, "amax")
    return torch.stack([pairs // segments, pairs % segments]), largest


def csr_of_links(
    edge_index: torch.Tensor, edge_weight: torch.Tensor, segments: int
) -> torch.Tensor:
    """Return the ``[N, N]`` CSR matrix whose rows are sources; weights of one link are added."""
    # torch's own coalesce() gives the same in three times the time.
    pairs, order = torch.sort(edge_index[0] * segments + edge_index[1], stable=True)
    values = edge_weight[order]
    links, place = torch.unique_consecutive(pairs, return_inverse=True)
    if len(links) < len(pairs):
        values = values.new_zeros(len(links)).index_add_(0, place, values)
    rows = links // segments
    return csr_matrix(row_begins(rows, segments), links - rows * segments, values, segments)


def row_begins(rows: torch.Tensor, size: int) -> torch.Tensor:
    """Return where each of ``size`` rows begins, ``[size + 1]``, for entries in ``rows [E]``."""
    begins = rows.new_zeros(size + 1)
    begins[1:] = torch.bincount(rows, minlength=size).cumsum(0)
    return begins


def csr_matrix(
    rows: torch.Tensor, columns: torch.Tensor, values: torch.Tensor, size: int
) -> torch.Tensor:
    """Return the square CSR matrix, without torch's words on how young its sparse matrices are.

    Its indices are of 32 bits, which is what the products want: MKL has them copied otherwise, a
    third of the time of a product.
    """
    rows, columns = rows.int(), columns.int()
    with warnings.catch_warnings():
        # The tests hold the products to PyG's numbers.
        warnings.filterwarnings("ignore", message=".*Sparse CSR tensor support is in beta.*")
        warnings.filterwarnings("ignore", message=".*Sparse invariant checks.*")
        return torch.sparse_csr_tensor(rows, columns, values, (size, size), check_invariants=False)
