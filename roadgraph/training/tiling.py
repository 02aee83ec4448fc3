"""Training and answers over tiles of the road graph, for networks larger than a city.

A model that hears its neighbours alone says the same on tiles as on the whole graph, as each tile
has the halo that the model's layers hear. To one that hears all segments (``attention``, and the
city of ``roadnet``) a tile with its halo is all there is, in training and in prediction alike: the
cut is a function of the network and of two settings, which a bundle keeps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch.utils.data import Sampler

from roadgraph.dataset.tiles import tiles_of
from roadgraph.training.batches import OriginBatches

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from roadgraph.dataset.dataset import RoadGraph
    from roadgraph.models.graph import Graph
    from roadgraph.models.multitask import MultiTaskModel

WHOLE_TO_ANSWER = 50_000
"""Segments of a network up to which a model that hears its neighbours alone answers on the whole
graph; a larger one is cut, so that the memory is bounded."""

TILE_TO_ANSWER = 20_000
"""Own segments of a tile of such a network at most.

The numbers are those on the whole graph. The features of a layer, 10 MB, stay near the cache, which
makes up for the halos.
"""


def tiles_of_graph(
    model: MultiTaskModel, graph: Graph, roads: RoadGraph, tile_segments: int, devices: int = 1
) -> tuple[Graph, ...]:
    """Return the tiles of ``graph`` with the halo that ``model`` hears.

    Args:
        model: says how far it hears.
        graph: of all segments.
        roads: that it came from.
        tile_segments: own segments of a tile at most; 0: the graph is one tile.
        devices: the number of tiles is a multiple of it, so that so many processes share them.

    Returns:
        The tiles; ``graph`` itself where it is one tile.

    Raises:
        ValueError: there are fewer segments than tiles.
    """
    if not tile_segments or (devices == 1 and tile_segments >= roads.segments):
        return (graph,)
    pairs = graph.neighbours
    # The control hears nobody, whatever the roads are.
    hops = 0 if torch.equal(pairs.source, pairs.target) else model.hops
    cut = tiles_of(roads, tile_segments, hops, devices)
    return tuple(graph.tile(torch.from_numpy(tile.places), tile.own) for tile in cut)


def tiles_to_answer(
    model: MultiTaskModel, graph: Graph, roads: RoadGraph, tile_segments: int, devices: int
) -> tuple[Graph, ...]:
    """Return the tiles on which a trained model answers.

    Args:
        model: the trained one.
        graph: of all segments.
        roads: that it came from.
        tile_segments, devices: settings of its training; they matter to a model that hears all
            segments of its tile.
    """
    if model.hears_all:
        return tiles_of_graph(model, graph, roads, tile_segments, devices)
    if roads.segments <= WHOLE_TO_ANSWER:
        return (graph,)
    return tiles_of_graph(model, graph, roads, TILE_TO_ANSWER)


class TileOrigins(NamedTuple):
    """A batch on a tile of the road graph.

    Attributes:
        tile: its number.
        origins: ``[B]``.
    """

    tile: int
    origins: torch.Tensor


class TileBatches(Sampler[TileOrigins]):
    """Yields every tile with every batch of origins, in an order of the epoch or that of the tiles.

    The order is a function of seed and epoch alone. A step takes as many of these pairs as there
    are processes; process ``rank`` takes every ``processes``-th.

    Args:
        tiles: how many there are, a multiple of ``processes``.
        origins: ``[O]`` places in time.
        batch_size: ``B``, on each tile.
        seed: of the order; None keeps that of the tiles and of time.
        rank: of this process.
        processes: that share the pairs.
    """

    def __init__(
        self,
        tiles: int,
        origins: np.ndarray,
        batch_size: int,
        seed: int | None,
        rank: int = 0,
        processes: int = 1,
    ) -> None:
        self._tiles = tiles
        self._batches = OriginBatches(origins, batch_size, seed)
        self._rank = rank
        self._processes = processes

    def set_epoch(self, epoch: int) -> None:
        """Take the order of ``epoch``; Lightning calls it before each one."""
        self._batches.set_epoch(epoch)

    def __len__(self) -> int:
        """Return the number of this process's pairs."""
        return self._tiles * len(self._batches) // self._processes

    def __iter__(self) -> Iterator[TileOrigins]:
        """Go through this process's share of the pairs once."""
        batches = list(self._batches)
        pairs = [TileOrigins(tile, batch) for tile in range(self._tiles) for batch in batches]
        order = self._batches.order(len(pairs))
        for place in order[self._rank :: self._processes].tolist():
            yield pairs[place]
