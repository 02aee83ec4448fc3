"""What OpenStreetMap's tags say about a road: who may drive on it, which way and how fast.

The one place where tags are read, for raw extracts and for OSMnx graphs alike. Meanings are those
of https://wiki.openstreetmap.org (Key:highway, Key:access, Key:oneway, Key:maxspeed, Key:lanes).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from roadgraph.units import KPH_PER_MPH

Tags = Mapping[str, str]

ROAD_CLASSES = (
    "motorway",
    "motorway_link",
    "trunk",
    "trunk_link",
    "primary",
    "primary_link",
    "secondary",
    "secondary_link",
    "tertiary",
    "tertiary_link",
    "unclassified",
    "residential",
    "road",
    "living_street",
    "service",
)
"""Values of ``highway`` that cars drive on, the most important first."""
RANK = {name: rank for rank, name in enumerate(ROAD_CLASSES)}

CLASS_LIMIT_KPH = {
    "motorway": 120.0,
    "motorway_link": 80.0,
    "trunk": 90.0,
    "trunk_link": 60.0,
    "living_street": 20.0,
    "service": 20.0,
}
"""Limit where no tag tells one. The other classes run through towns and open country alike."""
CLASS_LANES = {"motorway": 2}
"""Lanes a direction where no tag tells them; else 1."""

NO_LIMIT_KPH = 130.0
"""For ``maxspeed=none``: the recommended speed of German motorways, where nearly all of it is."""
WALK_KPH = 7.0
ZONE_LIMIT_KPH = {
    "urban": 50.0,
    "rural": 90.0,
    "trunk": 110.0,
    "motorway": 130.0,
    "living_street": 20.0,
    "bicycle_road": 30.0,
    "nsl_single": 60 * KPH_PER_MPH,
    "nsl_dual": 70 * KPH_PER_MPH,
}
"""What ``XX:urban`` and the like mean in most countries (the defaults of OSRM's car profile)."""
COUNTRY_LIMIT_KPH = {
    "at:rural": 100.0,
    "at:trunk": 100.0,
    "be:motorway": 120.0,
    "be-vlg:rural": 70.0,
    "by:urban": 60.0,
    "by:motorway": 110.0,
    "ch:rural": 80.0,
    "ch:trunk": 100.0,
    "ch:motorway": 120.0,
    "de:living_street": WALK_KPH,
    "de:rural": 100.0,
    "de:motorway": NO_LIMIT_KPH,
    "dk:rural": 80.0,
    "fr:rural": 80.0,
    "gb:motorway": 70 * KPH_PER_MPH,
    "nl:rural": 80.0,
    "nl:trunk": 100.0,
    "no:rural": 80.0,
    "no:motorway": 110.0,
    "pl:motorway": 140.0,
    "ro:trunk": 100.0,
    "ru:urban": 60.0,
    "ru:motorway": 110.0,
    "uk:motorway": 70 * KPH_PER_MPH,
    "za:urban": 60.0,
    "za:rural": 100.0,
}
"""The countries that differ (OpenStreetMap wiki, "Speed limits"; OSRM's car profile)."""
MPH_COUNTRIES = ("gb", "uk", "us")
MAX_LIMIT_KPH = 200.0
MAX_LANES = 40
"""More is a slip of the pen, and counts as not told."""

ACCESS_KEYS = ("motorcar", "motor_vehicle", "vehicle", "access")
"""The more specific of two decides: ``access=no`` with ``motorcar=yes`` is open to cars."""
CLOSED = frozenset(
    {"no", "private", "agricultural", "forestry", "emergency", "military"}
    | {"psv", "bus", "bicycle", "foot"}
)
CLOSED_SERVICE = frozenset({"emergency_access", "parking", "parking_aisle", "private"})
"""Service ways that are no roads (the rule of OSMnx's ``drive_service``)."""
UNFINISHED_KEYS = ("construction", "proposed", "abandoned", "disused", "razed", "demolished")

ONEWAY_KEYS = ("oneway:motorcar", "oneway:motor_vehicle", "oneway:vehicle", "oneway")
ALONG = frozenset({"yes", "true", "1"})
AGAINST = frozenset({"-1", "reverse"})
BOTH = frozenset({"no", "false", "0", "reversible", "alternating"})
"""A reversible road is open to each direction in turn, so fixes will be found in both."""
ROUNDABOUTS = frozenset({"roundabout", "circular"})

NAME_KEYS = ("name", "ref")
LIMIT_KEYS = ("maxspeed", "maxspeed:type", "source:maxspeed", "zone:maxspeed", "zone:traffic")
_NUMBER = re.compile(r"(\d+(?:\.\d+)?) ?(mph|km/?h|kph|kmph)?", re.IGNORECASE)
_ZONE = re.compile(r"([a-z]{2}(?:-[a-z]+)?):(?:zone:?)?(\w+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Road:
    """What is known of a road in one direction of travel; ``limit_told``: by a tag.

    Roads are the same where one drives on them alike, whatever they are called.
    """

    road_class: str
    lanes: int
    speed_limit_kph: float
    limit_told: bool = field(default=True, compare=False)
    name: str | None = field(default=None, compare=False)


def road_of(tags: Tags, forward: bool, oneway: bool, default_limit_kph: float) -> Road:
    """Return class, lanes, limit and name of a drivable way in one direction.

    Args:
        tags: the way's; its ``highway`` is one of ``ROAD_CLASSES``.
        forward: the direction, seen from the order of the way's nodes.
        oneway: whether the other direction is closed to cars.
        default_limit_kph: where neither tag nor class tells a limit.
    """
    road_class = tags["highway"]
    told = limit_kph(tags, forward)
    limit = CLASS_LIMIT_KPH.get(road_class, default_limit_kph) if told is None else told
    lanes = lane_count(tags, forward, oneway)
    return Road(road_class, lanes, limit, told is not None, road_name(tags))


def road_name(tags: Tags) -> str | None:
    """Return what a road is called: its name, else its number."""
    told = (tags.get(key, "").strip() for key in NAME_KEYS)
    return next((name for name in told if name), None)


def reason_to_leave_out(tags: Tags, service_roads: bool) -> str | None:
    """Return why cars do not drive on a way, or None where they do."""
    road_class = tags.get("highway")
    if road_class not in RANK:
        return "no road for cars"
    if road_class == "service" and (not service_roads or tags.get("service") in CLOSED_SERVICE):
        return "service road"
    if tags.get("area") == "yes":
        return "area"
    if any(tags.get(key) == "yes" for key in UNFINISHED_KEYS):
        return "not in use"
    if _is_closed(tags, "") or not any(directions(tags)):
        return "closed to cars"
    return None


def directions(tags: Tags) -> tuple[bool, bool]:
    """Return whether cars may drive along the way's nodes, and whether against them."""
    value = next((tags[key] for key in ONEWAY_KEYS if key in tags), "")
    if value in AGAINST:
        forward, backward = False, True
    elif value in ALONG:
        forward, backward = True, False
    else:
        implied = tags.get("junction") in ROUNDABOUTS or tags.get("highway") == "motorway"
        forward, backward = True, value in BOTH or not implied
    return (
        forward and not _is_closed(tags, ":forward"),
        backward and not _is_closed(tags, ":backward"),
    )


def _is_closed(tags: Tags, suffix: str) -> bool:
    value = next((tags[key + suffix] for key in ACCESS_KEYS if key + suffix in tags), "yes")
    return all(part.strip() in CLOSED for part in value.split(";"))


def lane_count(tags: Tags, forward: bool, oneway: bool) -> int:
    """Return the lanes of one direction, at least 1.

    ``lanes`` counts both directions of a two-way road; an odd one in the middle goes to neither.
    """
    ahead, behind = ("forward", "backward") if forward else ("backward", "forward")
    own = _lanes(tags.get(f"lanes:{ahead}"))
    total = _lanes(tags.get("lanes"))
    if own is None and total is not None and not oneway:
        other = _lanes(tags.get(f"lanes:{behind}"))
        shared = _lanes(tags.get("lanes:both_ways")) or 0
        own = (total - shared) // 2 if other is None else total - shared - other
    elif own is None:
        own = total
    return CLASS_LANES.get(tags["highway"], 1) if own is None else max(own, 1)


def _lanes(value: str | None) -> int | None:
    """Return a number of lanes, the lowest of several; None where none can be told."""
    parts = [_NUMBER.fullmatch(part.strip()) for part in (value or "").split(";")]
    counts = [int(float(part[1])) for part in parts if part and not part[2]]
    counts = [count for count in counts if 1 <= count <= MAX_LANES]
    return min(counts, default=None)


def limit_kph(tags: Tags, forward: bool) -> float | None:
    """Return the limit that a way's tags tell for one direction, km/h; None where they do not."""
    direction = "forward" if forward else "backward"
    for key in LIMIT_KEYS:
        for name in (f"{key}:{direction}", key):
            limit = parsed_limit_kph(tags.get(name, ""))
            if limit is not None:
                return limit
    return None


def parsed_limit_kph(value: str) -> float | None:
    """Return the limit that one value of ``maxspeed`` means, km/h, or None where it tells none.

    Knows ``50``, ``30 mph``, ``none``, ``walk``, ``DE:urban``, ``DE:zone30``; of several, such as
    ``50;30``, it is the lowest, because that one surely holds.
    """
    parts = [_one_limit_kph(part.strip().lower()) for part in re.split(r"[;|,]", value)]
    return min((part for part in parts if part is not None), default=None)


def _one_limit_kph(value: str) -> float | None:
    named = {"none": NO_LIMIT_KPH, "walk": WALK_KPH}
    if value in named:
        return named[value]
    country = ""
    zone = _ZONE.fullmatch(value)
    if zone:
        country, name = zone.groups()
        known = COUNTRY_LIMIT_KPH.get(f"{country}:{name}", ZONE_LIMIT_KPH.get(name))
        if known is not None:
            return known
        value = name
    told = _NUMBER.fullmatch(value)
    if told is None:
        return None
    mph = told[2] == "mph" or (told[2] is None and country in MPH_COUNTRIES)
    limit = float(told[1]) * (KPH_PER_MPH if mph else 1)
    return limit if 0 < limit <= MAX_LIMIT_KPH else None
