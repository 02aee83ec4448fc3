"""The static road graph as what the layers multiply and gather with."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import torch

from roadgraph.models.edge_index import (
    csr_matrix,
    csr_of_links,
    row_begins,
    strongest_links,
    symmetric_weights,
    weight_into,
    with_self_loops,
    without_self_loops,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from roadgraph.dataset.dataset import RoadGraph


@dataclass(frozen=True)
class Operator:
    """A sparse matrix over the segments, both ways.

    Attributes:
        gather: ``[N, N]`` CSR; row ``i`` holds the weights with which segment ``i`` gathers.
        scatter: ``[N, N]`` CSR, its transpose, for the gradient.
        pieces: where the rows begin, columns and values of ``gather``, then those of ``scatter``,
            once :meth:`keep_pieces` was called.
    """

    gather: torch.Tensor
    scatter: torch.Tensor
    pieces: list[torch.Tensor] = field(default_factory=list, repr=False, compare=False)

    def keep_pieces(self) -> None:
        """Fill ``pieces``; torch.compile takes neither a sparse matrix nor a view of one."""
        if not self.pieces:
            self.pieces.extend(
                piece.clone()
                for matrix in (self.gather, self.scatter)
                for piece in (matrix.crow_indices(), matrix.col_indices(), matrix.values())
            )

    def to(self, device: torch.device | str) -> Operator:
        """Return the operator on ``device``."""
        return Operator(self.gather.to(device), self.scatter.to(device))

    def cut(self, places: torch.Tensor, inside: torch.Tensor) -> Operator:
        """Return the rows and columns of ``places``; ``inside`` as in :func:`_cut`."""
        return Operator(_cut(self.gather, places, inside), _cut(self.scatter, places, inside))


@dataclass(frozen=True)
class HeadBlocks:
    """The pattern of a ``[N * heads, N * heads]`` CSR matrix: a pair's weight, once a head.

    Attributes:
        rows: ``[N * heads + 1]`` int32 where the rows begin; row ``i * heads + h``.
        columns: ``[E * heads]`` int32.
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

    def cut(self, places: torch.Tensor, inside: torch.Tensor) -> Neighbours:
        """Return the pairs with both ends among ``places``; ``inside`` as in :func:`_cut`."""
        row, pair = _entries(self._begins[places], self._begins[places + 1])
        source = inside[self.source[pair]]
        kept = source >= 0
        return Neighbours(source[kept], row[kept], len(places))

    @cached_property
    def _begins(self) -> torch.Tensor:
        return row_begins(self.target, self.segments)

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


def _head_blocks(
    rows: torch.Tensor, columns: torch.Tensor, segments: int, heads: int
) -> HeadBlocks:
    head = torch.arange(heads, device=rows.device)
    row = (rows[:, None] * heads + head).flatten()  # [E * heads]
    column = (columns[:, None] * heads + head).flatten()
    place = torch.argsort(row, stable=True)
    begins = row_begins(row, segments * heads)
    return HeadBlocks(begins.int(), column[place].int(), place, torch.argsort(place))


@dataclass(frozen=True)
class Graph:
    """What the layers ask of the static graph of ``N`` segments.

    Attributes:
        symmetric: ``D^-1/2 (A + w I) D^-1/2``, for graph convolution.
        upstream: row ``i`` is the weighted mean over the segments whose links lead into ``i``;
            all 0 where there is none.
        downstream: the same over the segments that ``i`` leads to.
        neighbours: the pairs of ``symmetric``, for graph attention.
        places: of a tile: where each of its ``N`` segments stands in the network; None: this is the
            whole graph.
        own: of a tile: how many segments, the first ones, it answers for; the others are its halo.
    """

    symmetric: Operator
    upstream: Operator
    downstream: Operator
    neighbours: Neighbours
    places: torch.Tensor | None = None
    own: int | None = None

    def to(self, device: torch.device | str) -> Graph:
        """Return the graph on ``device``."""
        return Graph(
            self.symmetric.to(device),
            self.upstream.to(device),
            self.downstream.to(device),
            self.neighbours.to(device),
            None if self.places is None else self.places.to(device),
            self.own,
        )

    def keep_pieces(self, heads: Iterable[int] = ()) -> None:
        """Make ready for torch.compile and layers of so many ``heads``."""
        for operator in (self.symmetric, self.upstream, self.downstream):
            operator.keep_pieces()
        for number in heads:
            self.neighbours.of_heads(number)

    def tile(self, places: torch.Tensor, own: int) -> Graph:
        """Return what a tile of this graph hears: the weights of the whole among its segments.

        The sums over the neighbours are whole for every segment that has all of them in the tile.
        So where the halo has as many rings as a model hears hops, its answers for the tile's own
        segments are those on the whole graph; those for the halo are not.

        Args:
            places: ``[M]`` the tile's own segments, then its halo.
            own: how many are its own.
        """
        inside = torch.full((self.neighbours.segments,), -1, device=places.device)
        inside[places] = torch.arange(len(places), device=places.device)
        return Graph(
            self.symmetric.cut(places, inside),
            self.upstream.cut(places, inside),
            self.downstream.cut(places, inside),
            self.neighbours.cut(places, inside),
            places,
            own,
        )


def _cut(matrix: torch.Tensor, places: torch.Tensor, inside: torch.Tensor) -> torch.Tensor:
    """Return the rows and columns ``places`` of a CSR matrix, ``[M, M]`` of ``[N, N]``.

    Args:
        matrix: CSR.
        places: ``[M]``.
        inside: ``[N]`` where each row stands among ``places``, -1 where it does not.
    """
    begins = matrix.crow_indices()
    row, entry = _entries(begins[places], begins[places + 1])
    column = inside[matrix.col_indices()[entry]]
    (kept,) = torch.nonzero(column >= 0, as_tuple=True)
    row = row[kept]
    pairs, order = torch.sort(row * len(places) + column[kept])
    values = matrix.values()[entry[kept[order]]]
    # The rows were sorted before; within them it is the columns that change places.
    columns = pairs - row * len(places)
    return csr_matrix(row_begins(row, len(places)), columns, values, len(places))


def _entries(begins: torch.Tensor, ends: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return every row from ``begins [M]`` to ``ends [M]``, and each of its entries."""
    counts = (ends - begins).long()
    row = torch.repeat_interleave(counts)
    before = counts.cumsum(0) - counts
    entry = torch.arange(len(row), device=row.device) + (begins - before)[row]
    return row, entry


def _operator(edge_index: torch.Tensor, weight: torch.Tensor, segments: int) -> Operator:
    return Operator(
        gather=csr_of_links(edge_index.flip(0), weight, segments),
        scatter=csr_of_links(edge_index, weight, segments),
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
        edge_index, edge_weight = with_self_loops(
            edge_index, edge_weight, segments, self_loop_weight
        )
    return _operator(edge_index, symmetric_weights(edge_index, edge_weight, segments), segments)


def mean_operator(edge_index: torch.Tensor, edge_weight: torch.Tensor, segments: int) -> Operator:
    """Return the operator whose row ``i`` is the weighted mean over the sources of ``i``.

    A row sums to 1, or is all 0 where no link of positive weight comes in. A link from a segment
    to itself is left out: it is nobody's neighbour.
    """
    edge_index, edge_weight = without_self_loops(edge_index, edge_weight)
    total = weight_into(edge_index, edge_weight, segments)
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
        edge_index = edge_index[:, edge_index[0] != edge_index[1]]
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
    links, weight = strongest_links(links, weight, segments)
    both, weights = strongest_links(
        torch.cat([links, links.flip(0)], dim=1), torch.cat([weight, weight]), segments
    )
    return Graph(
        symmetric=normalised_operator(both, weights, segments, self_loop_weight),
        upstream=mean_operator(links, weight, segments),
        downstream=mean_operator(links.flip(0), weight, segments),
        neighbours=neighbours_of(both, segments),
    )
