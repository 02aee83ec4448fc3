"""Road graphs that OSMnx saved (GraphML) into a network."""

from __future__ import annotations

import logging
from collections import Counter
from functools import cache
from itertools import product
from typing import TYPE_CHECKING, Any

import networkx as nx
import numpy as np
import shapely
from pyproj import Transformer
from pyproj.exceptions import ProjError

from roadgraph.errors import DataError
from roadgraph.network.links import links_at_nodes
from roadgraph.network.network import WGS84, Network, checked_network
from roadgraph.network.osm_segments import (
    Node,
    OsmSegment,
    Piece,
    Place,
    SamePlace,
    merged_segments,
    segments_table,
)
from roadgraph.network.osm_tags import (
    ACCESS_KEYS,
    NAME_KEYS,
    RANK,
    UNFINISHED_KEYS,
    Road,
    reason_to_leave_out,
    road_name,
    road_of,
)
from roadgraph.network.xml_stream import read_xml_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from roadgraph.settings import NetworkSettings

logger = logging.getLogger(__name__)

ROOT = "graphml"
USE_KEYS = ("highway", "service", "area", *ACCESS_KEYS, *UNFINISHED_KEYS)
ROAD_KEYS = (
    "highway",
    *(f"{key}{side}" for key in ("lanes", "maxspeed") for side in ("", ":forward", ":backward")),
    "lanes:both_ways",
    "maxspeed:type",
    "source:maxspeed",
)


def read_graphml(path: Path, settings: NetworkSettings) -> Network:
    """Read the edges that cars may drive on from a graph that ``osmnx.save_graphml`` wrote.

    A graph that was not simplified is simplified first, so that segments run from junction to
    junction. Where OSMnx joined ways of several values, a segment has the most important class,
    the fewest lanes, the mean limit and the first name by the alphabet. The graph has no turn
    restrictions. Ids are those of :mod:`roadgraph.network.osm_segments`; twins are told apart by
    the edge's key.

    Args:
        path: ``.graphml``, also with ``.gz`` or ``.bz2``.
        settings: whether to take service roads, the default limit and the sharpest turn.

    Raises:
        DataError: the file cannot be read, is no directed graph of OSMnx, or holds no edge that
            cars drive on.
    """
    graph = _loaded(path)
    places = _places(graph, path)
    left_out: Counter[str] = Counter()
    edges = list(_drivable_edges(graph, settings, left_out))
    if not edges:
        found = ", ".join(f"{count} {reason}" for reason, count in left_out.most_common())
        raise DataError(
            f"{path}: cars drive on none of its {len(graph.edges)} edges ({found or 'none'}); "
            "keep the edges' highway tags when saving"
        )
    if graph.graph.get("simplified") or any("geometry" in edge for *_, edge in edges):
        _check_lines(edges, path)
        segments = _as_drawn(edges, places, graph.graph["crs"], settings)
    else:
        segments = _simplified(edges, places, settings)
    if not segments:
        raise DataError(f"{path}: its edges have no length, or are rings that meet no other road")
    table = segments_table(segments)
    logger.info(
        "%s: %d of %d edges made %d segments; edges left out: %s",
        path,
        len(edges),
        len(graph.edges),
        len(segments),
        ", ".join(f"{name} {count}" for name, count in sorted(left_out.items())) or "none",
    )
    return checked_network(table, links_at_nodes(table, settings.max_turn_deg), str(path))


Edge = tuple[Node, Node, str, dict[str, Any]]
"""From node, to node, key and attributes."""


def _loaded(path: Path) -> nx.MultiDiGraph:
    from osmnx.io import load_graphml  # takes a second to import

    content = read_xml_text(path, ROOT)
    try:
        # Ids stay text, so that they come out as they went in, also those that are no numbers.
        graph = load_graphml(
            graphml_str=content, node_dtypes={"osmid": str}, edge_dtypes={"osmid": str}
        )
    # networkx and OSMnx check little: what is no graph of theirs fails anywhere in them.
    except (
        nx.NetworkXError,
        SyntaxError,  # xml.etree's ParseError is one
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        shapely.errors.ShapelyError,
    ) as error:
        raise DataError(
            f"{path} cannot be read as a graph of OSMnx ({type(error).__name__}: {error}); "
            "save it with osmnx.save_graphml"
        ) from error
    if not graph.is_directed():
        raise DataError(f"{path}: the graph is undirected; save the one that has directions")
    if "crs" not in graph.graph:
        raise DataError(f"{path}: the graph names no crs; save it with osmnx.save_graphml")
    return graph


def _places(graph: nx.MultiDiGraph, path: Path) -> dict[Node, Place]:
    """Return longitude and latitude of every node."""
    nodes = list(graph.nodes)
    for node in nodes:
        if not {"x", "y"} <= graph.nodes[node].keys():
            raise DataError(f"{path}: node '{node}' has no x and y; is this a road graph?")
    planar = np.array([(graph.nodes[node]["x"], graph.nodes[node]["y"]) for node in nodes])
    try:
        degrees = _to_degrees(planar.reshape(-1, 2), graph.graph["crs"])
    except ProjError as error:
        raise DataError(f"{path}: crs '{graph.graph['crs']}' is none that is known") from error
    wrong = ~np.isfinite(degrees).all(axis=1) | (np.abs(degrees) > (180, 90)).any(axis=1)
    if wrong.any():
        raise DataError(
            f"{path}: node '{nodes[int(wrong.argmax())]}' lies at {planar[wrong][0].tolist()}, "
            f"which is no place on Earth in {graph.graph['crs']} ({int(wrong.sum())} such nodes); "
            "project the graph to WGS84 before saving"
        )
    return {node: (float(lon), float(lat)) for node, (lon, lat) in zip(nodes, degrees, strict=True)}


def _to_degrees(planar: np.ndarray, crs: str) -> np.ndarray:
    return np.column_stack(_transformer(crs).transform(planar[:, 0], planar[:, 1]))


@cache
def _transformer(crs: str) -> Transformer:
    return Transformer.from_crs(crs, WGS84, always_xy=True)


def _drivable_edges(
    graph: nx.MultiDiGraph, settings: NetworkSettings, left_out: Counter[str]
) -> Iterator[Edge]:
    """Yield the edges for cars; count the others by their reason."""
    for start, end, key, attributes in graph.edges(keys=True, data=True):
        # A service way that was joined to a street is part of the street.
        service_roads = settings.service_roads or len(_texts(attributes.get("highway"))) > 1
        reasons = (
            reason_to_leave_out(tags, service_roads) for tags in _each_way(attributes, USE_KEYS)
        )
        reason = next((reason for reason in reasons if reason), None)
        if reason is None:
            yield start, end, str(key), attributes
        else:
            left_out[reason] += 1


def _texts(value: object) -> list[str]:
    """Return an attribute's values as text, sorted: OSMnx keeps the joined ones in no order."""
    if value is None:
        return []
    return sorted({str(item) for item in value} if isinstance(value, list) else {str(value)})


def _each_way(attributes: Mapping[str, object], keys: Iterable[str]) -> Iterator[dict[str, str]]:
    """Yield the tags of every way that an edge may have been joined from."""
    told = {key: found for key in keys if (found := _texts(attributes.get(key)))}
    for values in product(*told.values()):
        yield dict(zip(told, values, strict=True))


def _road(attributes: Mapping[str, Any], settings: NetworkSettings) -> Road:
    backward = "True" in _texts(attributes.get("reversed"))
    oneway = "True" in _texts(attributes.get("oneway"))
    if "maxspeed" not in attributes and "speed_kph" in attributes:
        # What osmnx.add_edge_speeds took from the roads of the same class.
        attributes = {**attributes, "maxspeed": attributes["speed_kph"]}
    roads = [
        road_of(tags, not backward, oneway, settings.default_speed_limit_kph)
        for tags in _each_way(attributes, ROAD_KEYS)
    ]
    return Road(
        road_class=min((road.road_class for road in roads), key=RANK.__getitem__),
        lanes=min(road.lanes for road in roads),
        speed_limit_kph=sum(road.speed_limit_kph for road in roads) / len(roads),
        limit_told=all(road.limit_told for road in roads),
        name=road_name(next(_each_way(attributes, NAME_KEYS))),
    )


def _check_lines(edges: Iterable[Edge], path: Path) -> None:
    for start, end, key, attributes in edges:
        line = attributes.get("geometry")
        if line is not None and (line.geom_type != "LineString" or line.is_empty):
            raise DataError(
                f"{path}: the geometry of edge ({start}, {end}, {key}) is no line but "
                f"{line.wkt[:40]}; mend or remove the edge"
            )


def _as_drawn(
    edges: Iterable[Edge], places: Mapping[Node, Place], crs: str, settings: NetworkSettings
) -> list[OsmSegment]:
    """Make a segment of every edge; edges without length make their two nodes one."""
    same = SamePlace()
    drawn = []
    for start, end, key, attributes in edges:
        if "geometry" in attributes and attributes["geometry"].length > 0:
            line = shapely.transform(
                shapely.remove_repeated_points(attributes["geometry"]),
                lambda points: _to_degrees(points, crs),
            )
        else:
            line = shapely.LineString([places[start], places[end]])
        if line.length > 0:
            drawn.append((start, end, key, attributes, line))
        else:
            same.join(start, end)
    return [
        OsmSegment(
            ways=tuple(_texts(attributes.get("osmid"))),
            from_node=same.node(start),
            to_node=same.node(end),
            twin=key,
            line=line,
            road=_road(attributes, settings),
        )
        for start, end, key, attributes, line in drawn
    ]


def _simplified(
    edges: Iterable[Edge], places: Mapping[Node, Place], settings: NetworkSettings
) -> list[OsmSegment]:
    same = SamePlace()
    edges = list(edges)
    for start, end, *_ in edges:
        if places[start] == places[end]:
            same.join(start, end)
    pieces: dict[tuple[Node, Node], Piece] = {}
    for start, end, _, attributes in edges:
        first, second = same.node(start), same.node(end)
        if first != second:
            way = next(iter(_texts(attributes.get("osmid"))), "")
            pieces.setdefault((first, second), Piece(way, _road(attributes, settings)))
    return merged_segments(pieces, places)
