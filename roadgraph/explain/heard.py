"""The part of a city that a model's answer for one segment is made from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from roadgraph.models.graph import Graph, Neighbours
    from roadgraph.models.multitask import MultiTaskModel


@dataclass(frozen=True)
class Heard:
    """What is heard of for one segment.

    Attributes:
        graph: of ``M`` segments.
        places: ``[M]`` int64 of each among all that the model is for.
        own: which of the ``M`` is the segment itself.
    """

    graph: Graph
    places: np.ndarray
    own: int


def heard_by(model: MultiTaskModel, tiles: Sequence[Graph], place: int) -> Heard:
    """Return the graph on which a model's answer for one segment is the same as on its tile.

    Where the layers hear their neighbours alone, these are the segments within
    :attr:`~roadgraph.models.multitask.MultiTaskModel.hops` links of it, a handful in a city of any
    size. A model that hears all segments keeps its tile.

    Args:
        model: says how far it hears.
        tiles: on which it answers.
        place: of the segment.

    Raises:
        ValueError: no tile answers for it.
    """
    tile, own = _tile_of(tiles, place)
    segments = tile.neighbours.segments
    places = torch.arange(segments) if tile.places is None else tile.places
    if model.hears_all:
        return Heard(tile, places.numpy(), own)
    near = _within(tile.neighbours, own, model.hops)
    cut = replace(tile.tile(near, 1), places=places[near])
    return Heard(cut, places[near].numpy(), 0)


def _tile_of(tiles: Sequence[Graph], place: int) -> tuple[Graph, int]:
    """Return the tile that answers for ``place``, and where in it that is."""
    for tile in tiles:
        if tile.places is None:
            return tile, place
        at = torch.nonzero(tile.places[: tile.own] == place)
        if len(at):
            return tile, int(at[0, 0])
    raise ValueError(f"needs a place that a tile answers for (found {place})")


def _within(neighbours: Neighbours, own: int, hops: int) -> torch.Tensor:
    """Return ``own`` and then all within ``hops`` links of it, ring by ring."""
    reached = torch.zeros(neighbours.segments, dtype=torch.bool)
    rings = [torch.tensor([own])]
    reached[own] = True
    for _ in range(hops):
        sources = neighbours.source[reached[neighbours.target]]
        ring = torch.unique(sources[~reached[sources]])
        reached[ring] = True
        rings.append(ring)
    return torch.cat(rings)
