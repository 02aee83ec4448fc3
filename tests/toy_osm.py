"""Toy OpenStreetMap files, written by hand; places are metres from node n0 of ``tests.toy``."""

import bz2
import gzip
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from xml.sax.saxutils import quoteattr

from tests.toy import point

ARM_M = 100.0
CROSSING = {1: (-ARM_M, 0.0), 2: (ARM_M, 0.0), 3: (0.0, -ARM_M), 4: (0.0, ARM_M), 5: (0.0, 0.0)}
"""Node 5 in the middle; 1 west, 2 east, 3 south and 4 north of it."""

PACKERS: dict[str, Callable[[bytes], bytes]] = {".gz": gzip.compress, ".bz2": bz2.compress}


def node(number: int, east_m: float, north_m: float) -> str:
    """Return one node."""
    lon, lat = point(east_m, north_m)
    return f'<node id="{number}" lat="{lat:.9f}" lon="{lon:.9f}"/>'


def nodes(places: Mapping[int, tuple[float, float]]) -> list[str]:
    """Return nodes by their number and metres east and north."""
    return [node(number, *place) for number, place in places.items()]


def tags(values: Mapping[str, str]) -> str:
    """Return the tags of an element."""
    return "".join(f"<tag k={quoteattr(k)} v={quoteattr(v)}/>" for k, v in values.items())


def way(number: int, refs: Sequence[int], **values: str) -> str:
    """Return a way, ``highway=residential`` unless told; ``__`` in a key stands for ``:``."""
    named = {"highway": "residential", **{k.replace("__", ":"): v for k, v in values.items()}}
    points = "".join(f'<nd ref="{ref}"/>' for ref in refs)
    return f'<way id="{number}">{points}{tags(named)}</way>'


def relation(number: int, members: Sequence[tuple[str, str, int]], **values: str) -> str:
    """Return a relation of (role, type, id); ``__`` in a key stands for ``:``."""
    named = {k.replace("__", ":"): v for k, v in values.items()}
    listed = "".join(f'<member role="{r}" type="{t}" ref="{ref}"/>' for r, t, ref in members)
    return f'<relation id="{number}">{listed}{tags(named)}</relation>'


def restriction(kind: str, start: int, via: int, end: int, **values: str) -> str:
    """Return a turn restriction from way ``start`` over node ``via`` to way ``end``."""
    members = [("from", "way", start), ("via", "node", via), ("to", "way", end)]
    return relation(900, members, type="restriction", restriction=kind, **values)


def crossing(*more: str) -> list[str]:
    """Return four streets that meet in node 5: ways 10 west, 20 east, 30 south, 40 north.

    Each is drawn towards the middle.
    """
    arms = [way(10 * arm, [arm, 5]) for arm in (1, 2, 3, 4)]
    return [*nodes(CROSSING), *arms, *more]


def write_osm(path: Path, *elements: str) -> Path:
    """Write elements as an OpenStreetMap file, compressed as the name's suffix says."""
    text = "\n".join(elements)
    content = f'<?xml version="1.0" encoding="UTF-8"?>\n<osm version="0.6">\n{text}\n</osm>\n'
    packed = content.encode()
    if path.suffix in PACKERS:
        packed = PACKERS[path.suffix](packed)
    path.write_bytes(packed)
    return path
