"""Networks of the traffic simulator SUMO (``.net.xml``) into a network.

Source of the format: https://sumo.dlr.de/docs/Networks/SUMO_Road_Networks.html
"""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import geopandas as gpd
import numpy as np
import shapely
from pyproj import Transformer
from pyproj.exceptions import ProjError

from roadgraph.errors import DataError
from roadgraph.network.network import LIMIT_TOLD, WGS84, Network, checked_network
from roadgraph.network.turns import permitted_links
from roadgraph.network.xml_stream import ElementError, number, stream_xml, text, whole_number
from roadgraph.schema import SEGMENTS

if TYPE_CHECKING:
    from pathlib import Path

    from roadgraph.settings import NetworkSettings

logger = logging.getLogger(__name__)

ROOT = "net"
CAR = "passenger"
"""The vehicle class of SUMO that a segment must admit."""
NO_PROJECTION = ("!", "-", ".", "")
"""Values of ``projParameter`` that name no projection which others could undo."""
KPH_PER_MPS = 3.6
OSM_TYPE_PREFIX = "highway."
"""SUMO's types of roads from OpenStreetMap: ``highway.primary|cycleway.lane``."""

Point = tuple[float, float]
"""Metres in the plane of the net."""


@dataclass(slots=True)
class _Edge:
    """An edge that cars may use; speeds and lengths are those of its lanes for cars."""

    edge: str
    from_node: str
    to_node: str
    road_class: str
    name: str
    shape: list[Point]
    lanes: dict[int, tuple[float, float]] = field(default_factory=dict)  # m/s, m


@dataclass(slots=True)
class _Net:
    edges: dict[str, _Edge] = field(default_factory=dict)
    junctions: dict[str, Point] = field(default_factory=dict)
    connections: list[tuple[str, int, str, int]] = field(default_factory=list)
    location: dict[str, str] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)


def read_sumo(path: Path, settings: NetworkSettings) -> Network:
    """Read the edges that passenger cars may use from a SUMO net, back in WGS84.

    Ids, classes, names, lanes, limits and lengths are SUMO's; links are its connections between
    lanes that admit cars, so that its turn rules hold, without the U-turns that are not the only
    way out. SUMO measures lengths between junctions, the geometry runs from node to node.

    Args:
        path: ``.net.xml``, also with ``.gz``.
        settings: the sharpest turn.

    Raises:
        DataError: the file cannot be read, has no geo-reference, or holds no edge for cars.
    """
    reader = _Reader()
    stream_xml(path, ROOT, reader.start, reader.end)
    net = reader.net
    if not net.edges:
        found = ", ".join(f"{count} {reason}" for reason, count in net.left_out.most_common())
        raise DataError(
            f"{path}: cars may use no edge in it ({found or 'none found'}); is this the right file?"
        )
    segments = _segments(net, path)
    linked = {
        (start, end)
        for start, start_lane, end, end_lane in net.connections
        if start in net.edges
        and end in net.edges
        and start_lane in net.edges[start].lanes
        and end_lane in net.edges[end].lanes
    }
    links = permitted_links(segments, settings.max_turn_deg, lambda a, b: (a, b) in linked)
    logger.info(
        "%s: %d edges for cars; edges left out: %s",
        path,
        len(segments),
        ", ".join(f"{name} {count}" for name, count in sorted(net.left_out.items())) or "none",
    )
    return checked_network(segments, links, str(path))


class _Reader:
    """Receives the elements of a net."""

    def __init__(self) -> None:
        self.net = _Net()
        self._edge: _Edge | None = None

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "edge":
            self._start_edge(attributes)
        elif name == "lane" and self._edge is not None:
            if _admits_cars(attributes):
                lane = whole_number(attributes, "index")
                speed_mps, length_m = number(attributes, "speed"), number(attributes, "length")
                self._edge.lanes[lane] = speed_mps, length_m
        elif name == "junction" and attributes.get("type") != "internal":
            place = number(attributes, "x"), number(attributes, "y")
            self.net.junctions[text(attributes, "id")] = place
        elif name == "connection" and _admits_cars(attributes):
            start, end = text(attributes, "from"), text(attributes, "to")
            if not start.startswith(":"):  # the way on from within a junction
                lanes = whole_number(attributes, "fromLane"), whole_number(attributes, "toLane")
                self.net.connections.append((start, lanes[0], end, lanes[1]))
        elif name == "location":
            self.net.location = attributes

    def end(self, name: str) -> None:
        if name == "edge" and self._edge is not None:
            if self._edge.lanes:
                self.net.edges[self._edge.edge] = self._edge
            else:
                self.net.left_out["closed to cars"] += 1
            self._edge = None

    def _start_edge(self, attributes: dict[str, str]) -> None:
        function = attributes.get("function", "normal")
        if function != "normal":
            self.net.left_out[function] += 1
            return
        edge = text(attributes, "id")
        try:
            shape = _points(attributes.get("shape", ""))
        except ValueError as error:
            raise ElementError(f"edge '{edge}' has a shape that is no list of points") from error
        self._edge = _Edge(
            edge,
            text(attributes, "from"),
            text(attributes, "to"),
            _road_class(attributes.get("type", "")),
            attributes.get("name", ""),
            shape,
        )


def _admits_cars(attributes: dict[str, str]) -> bool:
    """Tell whether a lane or connection admits cars; without a word on it, it admits all."""
    if "allow" in attributes:
        return bool({CAR, "all"}.intersection(attributes["allow"].split()))
    return not {CAR, "all"}.intersection(attributes.get("disallow", "").split())


def _points(shape: str) -> list[Point]:
    """Return the points of ``x,y x,y,z ...``; heights are left out.

    Raises:
        ValueError: it is no list of two or more points.
    """
    points = []
    for point in shape.split():
        x, y, *_ = point.split(",")
        points.append((float(x), float(y)))
    if len(points) == 1:
        raise ValueError("one point makes no line")
    return points


def _road_class(edge_type: str) -> str:
    first, _, _ = edge_type.partition("|")
    return first.removeprefix(OSM_TYPE_PREFIX) or "unclassified"


def _segments(net: _Net, path: Path) -> gpd.GeoDataFrame:
    """Return the table of segments; edges whose ends lie at one and the same place drop out."""
    shapes = [edge.shape or _straight(edge, net, path) for edge in net.edges.values()]
    lines = shapely.remove_repeated_points(_lines_in_degrees(shapes, net.location, path))
    kept = shapely.length(lines) > 0
    net.left_out.update({"without length": int((~kept).sum())} if not kept.all() else {})
    edges = [edge for edge, keep in zip(net.edges.values(), kept, strict=True) if keep]
    limits = [
        # SUMO writes 13.89 m/s where a sign says 50 km/h.
        round(max(speed for speed, _ in edge.lanes.values()) * KPH_PER_MPS, 1)
        for edge in edges
    ]
    table = {
        "segment_id": [edge.edge for edge in edges],
        "from_node": [edge.from_node for edge in edges],
        "to_node": [edge.to_node for edge in edges],
        "length_m": [max(length for _, length in edge.lanes.values()) for edge in edges],
        "road_class": [edge.road_class for edge in edges],
        "name": [edge.name for edge in edges],
        "lanes": np.array([len(edge.lanes) for edge in edges], dtype=np.int32),
        "speed_limit_kph": limits,
        # Until it has been measured, free flow is the limit; training estimates its own.
        "free_flow_kph": limits,
        LIMIT_TOLD: True,
    }
    segments = gpd.GeoDataFrame(table, geometry=lines[kept], crs=WGS84)
    return segments[[*SEGMENTS.columns, LIMIT_TOLD]]


def _straight(edge: _Edge, net: _Net, path: Path) -> list[Point]:
    """Return the line of an edge that SUMO wrote no shape for: from junction to junction."""
    for node in (edge.from_node, edge.to_node):
        if node not in net.junctions:
            raise DataError(
                f"{path}: edge '{edge.edge}' names junction '{node}', which the file does not have;"
                " was it cut short?"
            )
    return [net.junctions[edge.from_node], net.junctions[edge.to_node]]


def _lines_in_degrees(
    shapes: list[list[Point]], location: dict[str, str], path: Path
) -> np.ndarray:
    """Undo SUMO's projection: its coordinates are the projected ones plus ``netOffset``."""
    projection = location.get("projParameter", "")
    if projection in NO_PROJECTION:
        raise DataError(
            f"{path} has no geo-reference (projParameter '{projection}' in <location>); make the "
            "net from a map that has one, such as netconvert --osm-files, or write there the PROJ "
            "string of the plane that its coordinates are in"
        )
    try:
        x_offset_m, y_offset_m = (float(part) for part in location["netOffset"].split(","))
    except (KeyError, ValueError) as error:
        raise DataError(
            f"{path}: netOffset '{location.get('netOffset', '')}' in <location> is no pair of "
            "numbers; convert the net again"
        ) from error
    try:
        to_degrees = Transformer.from_crs(projection, WGS84, always_xy=True)
    except ProjError as error:
        raise DataError(
            f"{path}: projParameter '{projection}' in <location> is no projection that PROJ knows; "
            "convert the net again"
        ) from error
    points = np.array([point for shape in shapes for point in shape])
    points -= (x_offset_m, y_offset_m)
    lon, lat = to_degrees.transform(points[:, 0], points[:, 1])
    degrees = np.column_stack([lon, lat])
    if not np.isfinite(degrees).all():
        x, y = points[~np.isfinite(degrees).all(axis=1)][0]
        raise DataError(
            f"{path}: the point {x:.0f}, {y:.0f} m is no place on Earth in '{projection}'; "
            "netOffset and projParameter in <location> do not fit each other"
        )
    which = np.repeat(np.arange(len(shapes)), [len(shape) for shape in shapes])
    return shapely.linestrings(degrees, indices=which)
