"""The road graph cut by place into tiles, each with the halo that a model's layers hear.

NumPy alone does it: training cuts too, on machines that have little else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from roadgraph.dataset.dataset import RoadGraph

LEAF = 64
"""Segments among which their order inside a tile is left as it is."""


@dataclass(frozen=True)
class Tile:
    """A piece of the road graph.

    Attributes:
        places: ``[M]`` int64 in the network; the tile's own segments, then its halo, ring by ring.
        own: how many are its own.
    """

    places: np.ndarray
    own: int


def tiles_of(
    roads: RoadGraph, tile_segments: int, hops: int, multiple_of: int = 1
) -> tuple[Tile, ...]:
    """Return the tiles of ``roads``; every segment is the own one of exactly one of them.

    Args:
        roads: links, and where the segments lie.
        tile_segments: own segments of a tile at most.
        hops: rings of the halo.
        multiple_of: the number of tiles is a multiple of this.

    Raises:
        ValueError: there are fewer segments than tiles.
    """
    neighbours = _Neighbours.of(roads)
    around = np.zeros(roads.segments, dtype=bool)
    tiles = []
    for own in cut_by_place(roads, tile_segments, multiple_of):
        rings = [own, *_rings(neighbours, own, around, hops)]
        tiles.append(Tile(np.concatenate(rings), len(own)))
        for ring in rings:
            around[ring] = False
    return tuple(tiles)


def number_of_tiles(segments: int, tile_segments: int, multiple_of: int = 1) -> int:
    """Return into how many tiles so many segments are cut; see :func:`cut_by_place`."""
    least = -(-segments // tile_segments)
    return -(-least // multiple_of) * multiple_of


def cut_by_place(
    roads: RoadGraph, tile_segments: int, multiple_of: int = 1
) -> tuple[np.ndarray, ...]:
    """Cut the segments into compact tiles of sizes that differ by one at most.

    Recursive coordinate bisection (Berger and Bokhari 1987, "A partitioning strategy for nonuniform
    problems on multiprocessors"): what is longer from west to east is cut by longitude, else by
    latitude. It goes on inside a tile, so that neighbours are near each other in memory too. A
    network without geometry is cut in the order in which a wave along its links reaches the
    segments. The same network gives the same tiles.

    Args:
        roads: links, and where the segments lie.
        tile_segments: segments of a tile at most.
        multiple_of: the number of tiles is a multiple of this.

    Returns:
        The places ``[M]`` int64 of each tile's segments.

    Raises:
        ValueError: there are fewer segments than tiles.
    """
    tiles = number_of_tiles(roads.segments, tile_segments, multiple_of)
    if tiles > roads.segments:
        raise ValueError(f"needs at least {tiles} segments for {tiles} tiles ({roads.segments})")
    where = roads.midpoints_m
    if where is None:
        where = np.empty((roads.segments, 1))
        where[_order_of_wave(_Neighbours.of(roads)), 0] = np.arange(roads.segments)
    return tuple(_bisected(np.arange(roads.segments), where, tiles))


def _bisected(places: np.ndarray, where: np.ndarray, tiles: int) -> Iterator[np.ndarray]:
    """Yield ``tiles`` pieces of ``places [M]``, by their coordinates in ``where [N, D]``."""
    if tiles == 1:
        yield _near_each_other(places, where)
        return
    first = tiles // 2
    one, other = _halves(places, where, len(places) * first // tiles)
    yield from _bisected(one, where, first)
    yield from _bisected(other, where, tiles - first)


def _near_each_other(places: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Return ``places`` in the order of a bisection down to ``LEAF``."""
    if len(places) <= LEAF:
        return np.sort(places)
    halves = _halves(places, where, len(places) // 2)
    return np.concatenate([_near_each_other(half, where) for half in halves])


def _halves(places: np.ndarray, where: np.ndarray, first: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the ``first`` places along the longer side of the box around all, and the others."""
    own = where[places]
    side = int(np.argmax(own.max(axis=0) - own.min(axis=0)))
    # Places at the same coordinate keep the network's order.
    order = np.argsort(own[:, side], kind="stable")
    return places[order[:first]], places[order[first:]]


@dataclass(frozen=True)
class _Neighbours:
    """Who is linked to whom, in either direction.

    Attributes:
        begins: ``[N + 1]`` where the neighbours of each segment begin.
        others: ``[2 E]``.
    """

    begins: np.ndarray
    others: np.ndarray

    @classmethod
    def of(cls, roads: RoadGraph) -> _Neighbours:
        one = np.concatenate([roads.source, roads.target])
        other = np.concatenate([roads.target, roads.source])
        begins = np.zeros(roads.segments + 1, dtype=np.int64)
        np.cumsum(np.bincount(one, minlength=roads.segments), out=begins[1:])
        return cls(begins, other[np.argsort(one, kind="stable")])

    def around(self, places: np.ndarray) -> np.ndarray:
        """Return the neighbours of all ``places``, some of them more than once."""
        first = self.begins[places]
        counts = self.begins[places + 1] - first
        ends = np.cumsum(counts)
        steps = np.arange(ends[-1] if len(ends) else 0)
        return self.others[steps + np.repeat(first - (ends - counts), counts)]


def _rings(
    neighbours: _Neighbours, places: np.ndarray, reached: np.ndarray, hops: int
) -> Iterator[np.ndarray]:
    """Yield the rings around ``places`` until there is none; marks ``reached [N]``."""
    reached[places] = True
    for _ in range(hops):
        near = neighbours.around(places)
        places = np.unique(near[~reached[near]])
        if not len(places):
            return
        reached[places] = True
        yield places


def _order_of_wave(neighbours: _Neighbours) -> np.ndarray:
    """Return all places in the order in which a wave reaches them, from one end of the graph.

    The idea of Cuthill and McKee 1969, "Reducing the bandwidth of sparse symmetric matrices".
    Every connected part has a wave of its own, after those of the parts before it.
    """
    segments = len(neighbours.begins) - 1
    reached, tried = np.zeros(segments, dtype=bool), np.zeros(segments, dtype=bool)
    # Whoever has no neighbour is reached by no wave.
    alone = np.flatnonzero(np.diff(neighbours.begins) == 0)
    reached[alone] = True
    order = [alone]
    for start in range(segments):
        if not reached[start]:
            first = np.array([start])
            *_, farthest = (first, *_rings(neighbours, first, tried, segments))
            end = farthest[:1]
            order += [end, *_rings(neighbours, end, reached, segments)]
    return np.concatenate(order)
