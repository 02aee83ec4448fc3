"""The static road graph as what the layers multiply and gather with."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch_geometric.nn.conv.gcn_conv import gcn_norm
from torch_geometric.utils import (
    add_remaining_self_loops,
    coalesce,
    remove_self_loops,
    scatter,
    to_torch_csr_tensor,
)

if TYPE_CHECKING:
    from roadgraph.dataset.dataset import RoadGraph


@dataclass(frozen=True)
class Operator:
    """A sparse matrix over the segments, both ways.

    Attributes:
        gather: ``[N, N]`` CSR; row ``i`` holds the weights with which segment ``i`` gathers.
        scatter: ``[N, N]`` CSR, its transpose, for the gradient.
    """

    gather: torch.Tensor
    scatter: torch.Tensor

    def to(self, device: torch.device | str) -> Operator:
        """Return the operator on ``device``."""
        return Operator(self.gather.to(device), self.scatter.to(device))


@dataclass(frozen=True)
class HeadBlocks:
    """The pattern of a ``[N * heads, N * heads]`` CSR matrix: a pair's weight, once a head.

    Attributes:
        rows: ``[N * heads + 1]`` where the rows begin; row ``i * heads + h``.
        columns: ``[E * heads]``.
        place: ``[E * heads]`` which of the flattened weights ``[E, heads]`` stands there.
        inverse: ``[E * heads]``, the way back.
    """

    rows: torch.Tensor
    columns: torch.Tensor
    place: torch.Tensor
    inverse: torch.Tensor

    def matrix(self, weights: torch.Tensor) -> torch.Tensor:
        """Return the CSR matrix of ``weights [E, heads]``."""
        size = len(self.rows) - 1
        values = weights.flatten()[self.place]
        return csr_matrix(self.rows, self.columns, values, size)

    def by_pair(self, values: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """Return the ``values`` of such a matrix in the shape and order of ``weights``."""
        return values[self.inverse].view_as(weights)


@dataclass(frozen=True)
class HeadPairs:
    """The pairs of :class:`Neighbours` for a number of heads, both ways.

    Attributes:
        adjacency: ``[N, N]`` CSR of ones; row ``i`` holds those that ``i`` hears.
        gather: rows are targets.
        scatter: rows are sources, for the gradient.
    """

    adjacency: torch.Tensor
    gather: HeadBlocks
    scatter: HeadBlocks


@dataclass(frozen=True)
class Neighbours:
    """Whom every segment may attend to: ``E`` pairs, sorted by target.

    Attributes:
        source: ``[E]`` int64; the segment that is heard.
        target: ``[E]`` int64, ascending; the segment that hears.
        segments: ``N``.
    """

    source: torch.Tensor
    target: torch.Tensor
    segments: int
    _of_heads: dict[int, HeadPairs] = field(default_factory=dict, repr=False, compare=False)

    def to(self, device: torch.device | str) -> Neighbours:
        """Return the pairs on ``device``."""
        return Neighbours(self.source.to(device), self.target.to(device), self.segments)

    def of_heads(self, heads: int) -> HeadPairs:
        """Return the pairs for attention of ``heads`` heads; made once, as the graph is static."""
        if heads not in self._of_heads:
            single = _head_blocks(self.target, self.source, self.segments, 1)
            ones = torch.ones(len(self.source), device=self.source.device)
            self._of_heads[heads] = HeadPairs(
                adjacency=csr_matrix(single.rows, single.columns, ones, self.segments),
                gather=_head_blocks(self.target, self.source, self.segments, heads),
                scatter=_head_blocks(self.source, self.target, self.segments, heads),
            )
        return self._of_heads[heads]


def csr_matrix(
    rows: torch.Tensor, columns: torch.Tensor, values: torch.Tensor, size: int
) -> torch.Tensor:
    """Return the square CSR matrix, without torch's words on how young its sparse matrices are."""
    with warnings.catch_warnings():
        # The tests hold the products to PyG's numbers.
        warnings.filterwarnings("ignore", message=".*Sparse CSR tensor support is in beta.*")
        warnings.filterwarnings("ignore", message=".*Sparse invariant checks.*")
        return torch.sparse_csr_tensor(rows, columns, values, (size, size), check_invariants=False)


def _head_blocks(
    rows: torch.Tensor, columns: torch.Tensor, segments: int, heads: int
) -> HeadBlocks:
    head = torch.arange(heads, device=rows.device)
    row = (rows[:, None] * heads + head).flatten()  # [E * heads]
    column = (columns[:, None] * heads + head).flatten()
    place = torch.argsort(row, stable=True)
    begins = torch.zeros(segments * heads + 1, dtype=torch.int64, device=rows.device)
    begins[1:] = torch.bincount(row, minlength=segments * heads).cumsum(0)
    return HeadBlocks(begins, column[place], place, torch.argsort(place))


@dataclass(frozen=True)
class Graph:
    """What the layers ask of the static graph of ``N`` segments.

    Attributes:
        symmetric: ``D^-1/2 (A + w I) D^-1/2``, for graph convolution.
        upstream: row ``i`` is the weighted mean over the segments whose links lead into ``i``;
            all 0 where there is none.
        downstream: the same over the segments that ``i`` leads to.
        neighbours: the pairs of ``symmetric``, for graph attention.
    """

    symmetric: Operator
    upstream: Operator
    downstream: Operator
    neighbours: Neighbours

    def to(self, device: torch.device | str) -> Graph:
        """Return the graph on ``device``."""
        return Graph(
            self.symmetric.to(device),
            self.upstream.to(device),
            self.downstream.to(device),
            self.neighbours.to(device),
        )


def _operator(edge_index: torch.Tensor, weight: torch.Tensor, segments: int) -> Operator:
    size = (segments, segments)
    with warnings.catch_warnings():
        # torch announces that its sparse matrices are young; the tests hold them to PyG's numbers.
        warnings.filterwarnings("ignore", message=".*Sparse CSR tensor support is in beta.*")
        warnings.filterwarnings("ignore", message=".*Sparse invariant checks.*")
        return Operator(
            gather=to_torch_csr_tensor(edge_index.flip(0), weight, size=size),
            scatter=to_torch_csr_tensor(edge_index, weight, size=size),
        )


def normalised_operator(
    edge_index: torch.Tensor,
    edge_weight: torch.Tensor,
    segments: int,
    self_loop_weight: float | None = 1.0,
) -> Operator:
    """Return ``D^-1/2 (A + w I) D^-1/2`` (Kipf and Welling 2017, arXiv 1609.02907, eq. 2: w = 1).

    Args:
        edge_index: ``[2, E]``, sources above targets.
        edge_weight: ``[E]``.
        segments: ``N``.
        self_loop_weight: ``w``; a self-loop that is there already keeps its own weight. None adds
            no self-loop.
    """
    if self_loop_weight is not None:
        edge_index, edge_weight = add_remaining_self_loops(
            edge_index, edge_weight, fill_value=self_loop_weight, num_nodes=segments
        )
    edge_index, edge_weight = gcn_norm(
        edge_index, edge_weight, num_nodes=segments, add_self_loops=False
    )
    return _operator(edge_index, edge_weight, segments)


def mean_operator(edge_index: torch.Tensor, edge_weight: torch.Tensor, segments: int) -> Operator:
    """Return the operator whose row ``i`` is the weighted mean over the sources of ``i``.

    A row sums to 1, or is all 0 where no link of positive weight comes in. A link from a segment
    to itself is left out: it is nobody's neighbour.
    """
    edge_index, edge_weight = remove_self_loops(edge_index, edge_weight)
    total = scatter(edge_weight, edge_index[1], dim_size=segments)
    share = edge_weight / total.clamp(min=torch.finfo(total.dtype).tiny)[edge_index[1]]
    return _operator(edge_index, share, segments)


def neighbours_of(edge_index: torch.Tensor, segments: int, self_loops: bool = True) -> Neighbours:
    """Return the pairs of ``edge_index [2, E]`` (sources above targets), sorted by target.

    Args:
        edge_index: links; two of the same pair count twice.
        segments: ``N``.
        self_loops: let every segment hear itself, exactly once.
    """
    if self_loops:
        edge_index, _ = remove_self_loops(edge_index)
        own = torch.arange(segments, device=edge_index.device)
        edge_index = torch.cat([edge_index, torch.stack([own, own])], dim=1)
    order = torch.argsort(edge_index[1], stable=True)
    return Neighbours(edge_index[0, order], edge_index[1, order], segments)


def normalised_graph(
    edge_index: torch.Tensor,
    edge_weight: torch.Tensor | None,
    segments: int,
    self_loop_weight: float | None = 1.0,
) -> Graph:
    """Return the graph of links that are heard in their own direction alone, from source to target.

    Args:
        edge_index: ``[2, E]``, sources above targets.
        edge_weight: ``[E]``, or None for ones.
        segments: ``N``.
        self_loop_weight: weight of a self-loop where there is none yet; None adds no self-loops.
    """
    if edge_weight is None:
        edge_weight = torch.ones(edge_index.shape[1])
    return Graph(
        symmetric=normalised_operator(edge_index, edge_weight, segments, self_loop_weight),
        upstream=mean_operator(edge_index, edge_weight, segments),
        downstream=mean_operator(edge_index.flip(0), edge_weight, segments),
        neighbours=neighbours_of(edge_index, segments, self_loop_weight is not None),
    )


def road_graph(roads: RoadGraph, kind: str, self_loop_weight: float = 1.0) -> Graph:
    """Return the graph for the models.

    Args:
        roads: directed links.
        kind: ``network``: ``symmetric`` and ``neighbours`` hold every link in both directions,
            because queues grow against the traffic and vehicles come with it; ``self_loops``: no
            neighbour at all, the control.
        self_loop_weight: weight of a segment's own features beside its neighbours' links.

    Raises:
        ValueError: another ``kind``.
    """
    if kind == "self_loops":
        return normalised_graph(torch.empty((2, 0), dtype=torch.int64), None, roads.segments)
    if kind != "network":
        raise ValueError(f"needs kind 'network' or 'self_loops' (found '{kind}')")
    segments = roads.segments
    links = torch.stack([torch.from_numpy(roads.source), torch.from_numpy(roads.target)])
    weight = torch.from_numpy(roads.weight).float()
    links, weight = coalesce(links, weight, num_nodes=segments, reduce="max")
    both, weights = coalesce(
        torch.cat([links, links.flip(0)], dim=1),
        torch.cat([weight, weight]),
        num_nodes=segments,
        reduce="max",
    )
    return Graph(
        symmetric=normalised_operator(both, weights, segments, self_loop_weight),
        upstream=mean_operator(links, weight, segments),
        downstream=mean_operator(links.flip(0), weight, segments),
        neighbours=neighbours_of(both, segments),
    )
