"""Ways of OpenStreetMap into segments that run from junction to junction.

A segment's id is ``<way>:<from node>-<to node>``, in OpenStreetMap's own numbers. A segment that
was drawn as several ways takes the lowest number, the oldest way: when somebody splits a way, the
new part gets the new number. Where a way joins the same two nodes twice (the two sides of a loop),
``#<next node>`` tells the segments apart. So ids are the same in every extract that has the road.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import geopandas as gpd
import networkx as nx
import numpy as np
import shapely
from pyproj import Geod

from roadgraph.network.network import LIMIT_TOLD, WGS84
from roadgraph.network.osm_tags import RANK, Road
from roadgraph.schema import SEGMENTS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

Node = int | str
Way = int | str
Place = tuple[float, float]
"""Longitude and latitude, degrees."""

GEODESIC = Geod(ellps="WGS84")


@dataclass(frozen=True, slots=True)
class Piece:
    """A way's straight line between two of its nodes, in one direction."""

    way: Way
    road: Road


@dataclass(frozen=True, slots=True)
class OsmSegment:
    """A directed segment as OpenStreetMap names it.

    Attributes:
        ways: the ways that it was drawn as, in driving direction, each once a piece.
        twin: what tells it from another segment of its way between the same nodes.
        line: WGS84, in driving direction.
    """

    ways: tuple[Way, ...]
    from_node: Node
    to_node: Node
    twin: str
    line: shapely.LineString
    road: Road


@dataclass
class SamePlace:
    """Nodes that are one: a piece between them would have no length."""

    one_of: dict[Node, Node] = field(default_factory=dict)

    def node(self, node: Node) -> Node:
        """Return the node that stands for ``node``."""
        while node in self.one_of:
            node = self.one_of[node]
        return node

    def join(self, first: Node, second: Node) -> None:
        """Make two nodes one; the lower number stands for both, whatever the order of joining."""
        low, high = sorted((self.node(first), self.node(second)), key=_by_number)
        if low != high:
            self.one_of[high] = low


def merged_segments(
    pieces: Mapping[tuple[Node, Node], Piece],
    places: Mapping[Node, Place],
    ends: Collection[Node] = (),
) -> list[OsmSegment]:
    """Join pieces into segments that run from junction to junction or dead end.

    OSMnx finds the junctions. Class and lanes are those of most of the segment, the name is the one
    of most of it that has any; the limit is the speed that takes as long over the whole as the
    pieces' own limits do. Rings that meet no other
    road have no junction and are left out.

    Args:
        pieces: by the nodes where they begin and end; no piece has the same node at both.
        places: where the nodes are.
        ends: nodes that end segments even where no road branches off.
    """
    from osmnx.simplification import simplify_graph  # takes a second to import

    graph = nx.MultiDiGraph(crs=WGS84)
    for node in dict.fromkeys(node for pair in pieces for node in pair):
        lon, lat = places[node]
        graph.add_node(node, x=lon, y=lat, **({"end": True} if node in ends else {}))
    graph.add_edges_from(pieces)
    simple = simplify_graph(graph, node_attrs_include=["end"], track_merged=True)
    lengths = _lengths_m(pieces, places)
    segments = []
    for start, end, merged in simple.edges(data="merged_edges"):
        steps: list[tuple[Node, Node]] = merged or [(start, end)]
        segments.append(_segment(steps, pieces, places, [lengths[step] for step in steps]))
    return segments


def _segment(
    steps: Sequence[tuple[Node, Node]],
    pieces: Mapping[tuple[Node, Node], Piece],
    places: Mapping[Node, Place],
    lengths_m: Sequence[float],
) -> OsmSegment:
    nodes = [steps[0][0], *(end for _, end in steps)]
    parts = [pieces[step] for step in steps]
    return OsmSegment(
        ways=tuple(part.way for part in parts),
        from_node=nodes[0],
        to_node=nodes[-1],
        twin=str(nodes[1]),
        line=shapely.LineString([places[node] for node in nodes]),
        road=_merged_road([part.road for part in parts], lengths_m),
    )


def _merged_road(roads: Sequence[Road], lengths_m: Sequence[float]) -> Road:
    told_m = sum(m for road, m in zip(roads, lengths_m, strict=True) if road.limit_told)
    limit_told = 2 * told_m >= sum(lengths_m)
    name = _name_of_most(roads, lengths_m)
    if len(set(roads)) == 1:
        return replace(roads[0], limit_told=limit_told, name=name)
    by_class: defaultdict[str, float] = defaultdict(float)
    by_lanes: defaultdict[int, float] = defaultdict(float)
    hours = 0.0
    for road, length_m in zip(roads, lengths_m, strict=True):
        by_class[road.road_class] += length_m
        by_lanes[road.lanes] += length_m
        hours += length_m / road.speed_limit_kph
    return Road(
        road_class=max(by_class, key=lambda name: (by_class[name], -RANK[name])),
        lanes=max(by_lanes, key=lambda count: (by_lanes[count], -count)),
        speed_limit_kph=round(sum(lengths_m) / hours, 1),
        limit_told=limit_told,
        name=name,
    )


def _name_of_most(roads: Sequence[Road], lengths_m: Sequence[float]) -> str | None:
    by_name: defaultdict[str, float] = defaultdict(float)
    for road, length_m in zip(roads, lengths_m, strict=True):
        if road.name is not None:
            by_name[road.name] += length_m
    return min(by_name, key=lambda name: (-by_name[name], name), default=None)


def _lengths_m(
    pieces: Iterable[tuple[Node, Node]], places: Mapping[Node, Place]
) -> dict[tuple[Node, Node], float]:
    steps = list(pieces)
    ends = np.array([(*places[start], *places[end]) for start, end in steps]).reshape(-1, 4)
    _, _, lengths = GEODESIC.inv(*ends.T)
    return dict(zip(steps, np.asarray(lengths).tolist(), strict=True))


def segments_table(segments: Sequence[OsmSegment]) -> gpd.GeoDataFrame:
    """Return the columns of ``schema.SEGMENTS``, lengths measured on the ellipsoid.

    ``limit_told`` comes with them: whether tags tell the limit of at least half of a segment.
    """
    limits = [segment.road.speed_limit_kph for segment in segments]
    table = {
        "segment_id": segment_ids(segments),
        "from_node": [str(segment.from_node) for segment in segments],
        "to_node": [str(segment.to_node) for segment in segments],
        "length_m": [GEODESIC.geometry_length(segment.line) for segment in segments],
        "road_class": [segment.road.road_class for segment in segments],
        "name": [segment.road.name for segment in segments],
        "lanes": np.array([segment.road.lanes for segment in segments], dtype=np.int32),
        "speed_limit_kph": limits,
        # Until it has been measured, free flow is the limit; training estimates its own.
        "free_flow_kph": limits,
        LIMIT_TOLD: [segment.road.limit_told for segment in segments],
    }
    lines = [segment.line for segment in segments]
    return gpd.GeoDataFrame(table, geometry=lines, crs=WGS84)[[*SEGMENTS.columns, LIMIT_TOLD]]


def segment_ids(segments: Sequence[OsmSegment]) -> list[str]:
    """Return the ids of segments in their order; see the head of this module."""
    plain = [_plain_id(segment) for segment in segments]
    of_id = Counter(plain)
    return [
        name if of_id[name] == 1 else f"{name}#{segment.twin}"
        for name, segment in zip(plain, segments, strict=True)
    ]


def _plain_id(segment: OsmSegment) -> str:
    between = f"{segment.from_node}-{segment.to_node}"
    way = min(segment.ways, key=_by_number, default="")
    return f"{way}:{between}" if way != "" else between


def _by_number(key: Node | Way) -> tuple[int, str]:
    """Sort numbers by their size, also where they come as text."""
    return len(str(key)), str(key)
