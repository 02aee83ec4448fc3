"""What a raw OpenStreetMap file holds for cars: ways, the places of nodes, turn restrictions."""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from roadgraph.errors import DataError
from roadgraph.network.osm_restrictions import TurnRestriction, restriction_of
from roadgraph.network.osm_tags import reason_to_leave_out
from roadgraph.network.xml_stream import ElementError, number, stream_xml, text, whole_number

if TYPE_CHECKING:
    from pathlib import Path

    from roadgraph.network.osm_segments import Node, Place

ROOT = "osm"


@dataclass(frozen=True, slots=True)
class DrivableWay:
    """A way that cars drive on."""

    way: int
    nodes: tuple[int, ...]
    tags: dict[str, str]


@dataclass
class OsmExtract:
    """What was read, and the count of what was left out for which reason.

    Attributes:
        places: longitude and latitude (degrees) of those nodes of the ways that the file has; an
            extract that was cut from a larger map lacks some.
    """

    ways: list[DrivableWay] = field(default_factory=list)
    places: dict[Node, Place] = field(default_factory=dict)
    restrictions: list[TurnRestriction] = field(default_factory=list)
    ways_left_out: Counter[str] = field(default_factory=Counter)
    restrictions_left_out: Counter[str] = field(default_factory=Counter)


def read_osm_extract(path: Path, service_roads: bool) -> OsmExtract:
    """Read an OpenStreetMap XML file in one pass, whatever the order of its elements.

    Args:
        path: plain, gzip or bzip2.
        service_roads: whether to take ``highway=service`` too.

    Raises:
        DataError: the file cannot be read, has no way that cars drive on, or lacks their nodes.
    """
    reader = _Reader(service_roads)
    stream_xml(path, ROOT, reader.start, reader.end)
    extract = reader.extract
    if not extract.ways:
        found = _listed(extract.ways_left_out)
        what = f"cars drive on none of its ways ({found})" if found else "there is no way in it"
        raise DataError(f"{path}: {what}; is this the right file?")
    extract.places = reader.places_of({node for way in extract.ways for node in way.nodes})
    if not extract.places:
        raise DataError(
            f"{path}: the nodes of its {len(extract.ways)} drivable ways are missing; "
            "download them with the ways (Overpass: (._;>;); out;)"
        )
    return extract


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in counts.most_common())


class _Reader:
    """Receives the elements of a file; keeps nodes as plain numbers, because they are many."""

    def __init__(self, service_roads: bool) -> None:
        self.extract = OsmExtract()
        self._service_roads = service_roads
        self._ways: dict[int, DrivableWay] = {}
        self._node_ids = array("q")
        self._lons = array("d")
        self._lats = array("d")
        self._open = ""  # "way" or "relation" within one that is in use
        self._id = 0
        self._nodes: list[int] = []
        self._tags: dict[str, str] = {}
        self._members: list[tuple[str, str, int]] = []

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "node":
            self._node(attributes)
        elif name in {"way", "relation"} and _is_in_use(attributes):
            self._open, self._id = name, whole_number(attributes, "id")
            self._nodes, self._tags, self._members = [], {}, []
        elif not self._open:
            return
        elif name == "nd":
            self._nodes.append(whole_number(attributes, "ref"))
            if "lat" in attributes:  # Overpass writes places here for `out geom`
                self._place(self._nodes[-1], attributes)
        elif name == "tag":
            self._tags[text(attributes, "k")] = attributes.get("v", "")
        elif name == "member":
            member = attributes.get("role", ""), attributes.get("type", "")
            self._members.append((*member, whole_number(attributes, "ref")))

    def end(self, name: str) -> None:
        if name == "way" and self._open:
            self._way()
            self._open = ""
        elif name == "relation" and self._open:
            self._relation()
            self._open = ""
        elif name == ROOT:
            self.extract.ways = list(self._ways.values())

    def _node(self, attributes: dict[str, str]) -> None:
        if _is_in_use(attributes) and "lat" in attributes:
            self._place(whole_number(attributes, "id"), attributes)

    def _place(self, node: int, attributes: dict[str, str]) -> None:
        lon, lat = number(attributes, "lon"), number(attributes, "lat")
        if not (-180 <= lon <= 180 and -90 <= lat <= 90):
            raise ElementError(f"node {node} has lon {lon}, lat {lat}, which is no place on Earth")
        self._node_ids.append(node)
        self._lons.append(lon)
        self._lats.append(lat)

    def _way(self) -> None:
        if "highway" not in self._tags:
            return
        reason = reason_to_leave_out(self._tags, self._service_roads)
        if reason is None:
            # Of several versions in one file, the last holds.
            self._ways[self._id] = DrivableWay(self._id, tuple(self._nodes), self._tags)
        else:
            self.extract.ways_left_out[reason] += 1

    def _relation(self) -> None:
        if not self._tags.get("type", "").startswith("restriction"):
            return
        restriction = restriction_of(self._id, self._tags, self._members)
        if isinstance(restriction, TurnRestriction):
            self.extract.restrictions.append(restriction)
        else:
            self.extract.restrictions_left_out[restriction] += 1

    def places_of(self, nodes: set[int]) -> dict[Node, Place]:
        """Return longitude and latitude of those of ``nodes`` that the file has."""
        ids = np.frombuffer(self._node_ids, dtype=np.int64)
        wanted = np.flatnonzero(np.isin(ids, np.fromiter(nodes, dtype=np.int64, count=len(nodes))))
        lons, lats = np.frombuffer(self._lons), np.frombuffer(self._lats)
        places = zip(lons[wanted].tolist(), lats[wanted].tolist(), strict=True)
        return dict(zip(ids[wanted].tolist(), places, strict=True))


def _is_in_use(attributes: dict[str, str]) -> bool:
    """Tell whether an element was not deleted, in a history file or in an editor."""
    return attributes.get("visible") != "false" and attributes.get("action") != "delete"
