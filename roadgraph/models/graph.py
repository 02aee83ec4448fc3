"""The road graph as the sparse matrices that the layers multiply with."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch_geometric.nn.conv.gcn_conv import gcn_norm
from torch_geometric.utils import add_remaining_self_loops, coalesce, to_torch_csr_tensor

if TYPE_CHECKING:
    from roadgraph.dataset.dataset import RoadGraph


@dataclass(frozen=True)
class Graph:
    """A normalised adjacency matrix in both directions.

    Attributes:
        gather: ``[N, N]`` CSR; row ``i`` holds the weights with which segment ``i`` gathers.
        scatter: ``[N, N]`` CSR, its transpose, for the gradient.
    """

    gather: torch.Tensor
    scatter: torch.Tensor

    def to(self, device: torch.device | str) -> Graph:
        """Return the graph on ``device``."""
        return Graph(self.gather.to(device), self.scatter.to(device))


def normalised_graph(
    edge_index: torch.Tensor,
    edge_weight: torch.Tensor | None,
    segments: int,
    self_loop_weight: float = 1.0,
) -> Graph:
    """Return ``D^-1/2 (A + w I) D^-1/2`` (Kipf and Welling 2017, arXiv 1609.02907, eq. 2: w = 1).

    Args:
        edge_index: ``[2, E]``, sources above targets.
        edge_weight: ``[E]``, or None for ones.
        segments: ``N``.
        self_loop_weight: ``w``; a self-loop that is there already keeps its own weight.
    """
    if edge_weight is None:
        edge_weight = torch.ones(edge_index.shape[1])
    index, weight = add_remaining_self_loops(
        edge_index, edge_weight, fill_value=self_loop_weight, num_nodes=segments
    )
    index, weight = gcn_norm(index, weight, num_nodes=segments, add_self_loops=False)
    size = (segments, segments)
    with warnings.catch_warnings():
        # torch announces that its sparse matrices are young; the tests hold them to PyG's numbers.
        warnings.filterwarnings("ignore", message=".*Sparse CSR tensor support is in beta.*")
        warnings.filterwarnings("ignore", message=".*Sparse invariant checks.*")
        gather = to_torch_csr_tensor(index.flip(0), weight, size=size)
        scatter = to_torch_csr_tensor(index, weight, size=size)
    return Graph(gather, scatter)


def road_graph(roads: RoadGraph, kind: str, self_loop_weight: float = 1.0) -> Graph:
    """Return the graph for the models.

    Args:
        roads: directed links.
        kind: ``network``: every link in both directions, because queues grow against the traffic
            and vehicles come with it; ``self_loops``: no neighbour at all, the control.
        self_loop_weight: weight of a segment's own features beside its neighbours' links.

    Raises:
        ValueError: another ``kind``.
    """
    if kind == "self_loops":
        return normalised_graph(torch.empty((2, 0), dtype=torch.int64), None, roads.segments)
    if kind != "network":
        raise ValueError(f"needs kind 'network' or 'self_loops' (found '{kind}')")
    links = torch.stack([torch.from_numpy(roads.source), torch.from_numpy(roads.target)])
    weight = torch.from_numpy(roads.weight).float()
    both, weights = coalesce(
        torch.cat([links, links.flip(0)], dim=1),
        torch.cat([weight, weight]),
        num_nodes=roads.segments,
        reduce="max",
    )
    return normalised_graph(both, weights, roads.segments, self_loop_weight)
