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
    with warnings.catch_warnings():
        # torch announces that its sparse matrices are young; the tests hold them to PyG's numbers.
        warnings.filterwarnings("ignore", message=".*Sparse CSR tensor support is in beta.*")
        warnings.filterwarnings("ignore", message=".*Sparse invariant checks.*")
        size = (segments, segments)
        links = torch.sparse_coo_tensor(edge_index, edge_weight, size, check_invariants=False)
        return links.coalesce().to_sparse_csr()
