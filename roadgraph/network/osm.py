"""Raw OpenStreetMap extracts (XML) into a network.

OSMnx finds the junctions. Its own ``graph_from_xml`` is not used: it holds the whole file in memory
as a tree, cars or not, and leaves the turn restrictions unread.
"""

from __future__ import annotations

import logging
from itertools import pairwise
from typing import TYPE_CHECKING

from roadgraph.errors import DataError
from roadgraph.network.network import Network, checked_network
from roadgraph.network.osm_extract import OsmExtract, read_osm_extract
from roadgraph.network.osm_restrictions import APPLIED, TurnRules
from roadgraph.network.osm_segments import (
    Node,
    Piece,
    SamePlace,
    merged_segments,
    segments_table,
)
from roadgraph.network.osm_tags import directions, road_of
from roadgraph.network.turns import permitted_links

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator
    from pathlib import Path

    from roadgraph.network.osm_extract import DrivableWay
    from roadgraph.settings import NetworkSettings

logger = logging.getLogger(__name__)


def read_osm(path: Path, settings: NetworkSettings) -> Network:
    """Read the roads that cars may drive on from OpenStreetMap XML, turn restrictions applied.

    Segments run from junction to junction, in both directions where a way is no one-way street.
    Their ids are told in :mod:`roadgraph.network.osm_segments`. What was left out goes to the log.

    Args:
        path: ``.osm`` or ``.osm.xml``, also with ``.gz`` or ``.bz2``.
        settings: whether to take service roads, the default limit and the sharpest turn.

    Raises:
        DataError: the file cannot be read, or holds no way that cars drive on.
    """
    extract = read_osm_extract(path, settings.service_roads)
    same = _same_places(extract)
    pieces = _pieces(extract, same, settings)
    closing = {same.node(rule.via_node) for rule in extract.restrictions if rule.may_close_a_road}
    segments = merged_segments(pieces, extract.places, closing)
    if not segments:
        raise DataError(
            f"{path}: the {len(extract.ways)} ways that cars drive on make no road: too few of "
            "their nodes are there, or they are rings that meet no other road"
        )
    table = segments_table(segments)
    rules = TurnRules(extract.restrictions, segments, list(table["segment_id"]), same.node)
    network = checked_network(
        table, permitted_links(table, settings.max_turn_deg, rules.permits), str(path)
    )
    ring_pieces = len(pieces) - sum(len(segment.ways) for segment in segments)
    _log_account(path, extract, rules, ring_pieces)
    return network


def _same_places(extract: OsmExtract) -> SamePlace:
    """Make neighbouring nodes of a way at one and the same place a single node."""
    same = SamePlace()
    for way in extract.ways:
        for start, end in pairwise(way.nodes):
            place = extract.places.get(start)
            if start != end and place is not None and place == extract.places.get(end):
                same.join(start, end)
    return same


def _pieces(
    extract: OsmExtract, same: SamePlace, settings: NetworkSettings
) -> dict[tuple[Node, Node], Piece]:
    """Return the pieces of all ways; of ways drawn over each other, the oldest."""
    pieces: dict[tuple[Node, Node], Piece] = {}
    for way in sorted(extract.ways, key=lambda way: way.way):
        forward, backward = directions(way.tags)
        limit_kph = settings.default_speed_limit_kph
        along, against = (
            Piece(way.way, road_of(way.tags, side, not (forward and backward), limit_kph))
            for side in (True, False)
        )
        for start, end in _steps(way, extract, same):
            if forward:
                pieces.setdefault((start, end), along)
            if backward:
                pieces.setdefault((end, start), against)
    return pieces


def _steps(way: DrivableWay, extract: OsmExtract, same: SamePlace) -> Iterator[tuple[Node, Node]]:
    """Yield a way node by node, broken where the extract lacks a node."""
    for start, end in pairwise(way.nodes):
        if start in extract.places and end in extract.places:
            first, second = same.node(start), same.node(end)
            if first != second:
                yield first, second


def _log_account(path: Path, extract: OsmExtract, rules: TurnRules, ring_pieces: int) -> None:
    def listed(counts: Counter[str]) -> str:
        return ", ".join(f"{name} {count}" for name, count in sorted(counts.items())) or "none"

    cut = sum(any(node not in extract.places for node in way.nodes) for way in extract.ways)
    logger.info(
        "%s: %d ways for cars, %d of which lack nodes (cut extract); %d pieces left out in rings "
        "that meet no other road; ways left out: %s",
        path,
        len(extract.ways),
        cut,
        ring_pieces,
        listed(extract.ways_left_out),
    )
    not_applied = rules.outcomes + extract.restrictions_left_out
    applied = not_applied.pop(APPLIED, 0)
    logger.info(
        "%s: %d turn restrictions applied, %d turns forbidden; restrictions not applied: %s",
        path,
        applied,
        len(rules.forbidden),
        listed(not_applied),
    )
