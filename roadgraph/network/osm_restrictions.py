"""Turn restrictions of OpenStreetMap: which turns their relations forbid.

Source: https://wiki.openstreetmap.org/wiki/Relation:restriction. A restriction over a node is
exact. One over a way forbids a series of three segments, which links between two cannot say; those
are counted and not applied.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from roadgraph.network.osm_segments import Node, OsmSegment
    from roadgraph.network.osm_tags import Tags

CAR_MODES = ("motorcar", "motor_vehicle", "vehicle")
HOURS_KEYS = ("day_on", "day_off", "hour_on", "hour_off")
"""Restrictions of old that hold at some hours; today they are ``restriction:conditional``."""

APPLIED = "applied"
WITHOUT_EFFECT = "without effect"
"""The turn cannot be made anyway: one-way against it, or a way that no segment was made of."""
AMBIGUOUS = "ambiguous"
"""A way that runs on through the node: which of its two sides is meant, nobody can tell."""
TARGET_MISSING = "only way out is no segment"


@dataclass(frozen=True, slots=True)
class TurnRestriction:
    """Turns over one node that are forbidden, or that are the only ones allowed."""

    relation: int
    kind: str
    from_ways: tuple[int, ...]
    via_node: int
    to_ways: tuple[int, ...]

    @property
    def only(self) -> bool:
        """Whether the turn is the only one allowed, rather than forbidden."""
        return self.kind.startswith("only_")

    @property
    def may_close_a_road(self) -> bool:
        """Whether it can forbid to drive on where no other road branches off."""
        return not self.only and self.kind != "no_u_turn"


def restriction_of(
    relation: int, tags: Tags, members: Sequence[tuple[str, str, int]]
) -> TurnRestriction | str:
    """Return the restriction for cars that a relation states, or why it is none to apply.

    Args:
        relation: its id.
        tags: its tags; ``type`` is ``restriction`` or ``restriction:<vehicle>``.
        members: role, type and id of each.
    """
    kind, reason = _kind_for_cars(tags)
    if reason:
        return reason

    def ids(role: str, element: str) -> tuple[int, ...]:
        return tuple(ref for a, b, ref in members if (a, b) == (role, element))

    if ids("via", "way"):
        return "via a way"
    via, from_ways, to_ways = ids("via", "node"), ids("from", "way"), ids("to", "way")
    if len(via) != 1 or not from_ways or not to_ways:
        return "incomplete"
    return TurnRestriction(relation, kind, from_ways, via[0], to_ways)


def _kind_for_cars(tags: Tags) -> tuple[str, str]:
    """Return what a restriction says to cars at all hours, or else the reason why nothing."""
    _, _, mode = tags["type"].partition(":")
    exempt = {part.strip() for part in tags.get("except", "").split(";")}
    keys = (*(f"restriction:{mode}" for mode in CAR_MODES), "restriction")
    kind = next((tags[key] for key in keys if key in tags), "")
    limited = any(key in tags for key in HOURS_KEYS)
    conditional = any(f"{key}:conditional" in tags for key in keys)
    if (mode and mode not in CAR_MODES) or exempt.intersection(CAR_MODES):
        return "", "for other vehicles"
    if limited or (conditional and not kind):
        return "", "at some hours only"
    if not kind and any(key.startswith("restriction:") for key in tags):
        return "", "for other vehicles"
    return (kind, "") if kind.startswith(("no_", "only_")) else ("", "of unknown kind")


class TurnRules:
    """Which turns between segments a map's restrictions forbid.

    Attributes:
        forbidden: pairs of segment ids.
        outcomes: how many restrictions were applied, and how many not for which reason.
    """

    def __init__(
        self,
        restrictions: Sequence[TurnRestriction],
        segments: Sequence[OsmSegment],
        ids: Sequence[str],
        node: Callable[[Node], Node],
    ) -> None:
        """Find the turns of all restrictions.

        Args:
            restrictions: as read.
            segments: all of the network.
            ids: their ids, in the same order.
            node: gives the node that stands for another one at the same place.
        """
        self.forbidden: set[tuple[str, str]] = set()
        self.outcomes: Counter[str] = Counter()
        self._into: defaultdict[Node, list[tuple[str, Node]]] = defaultdict(list)
        self._out_of: defaultdict[Node, list[tuple[str, Node]]] = defaultdict(list)
        for segment, name in zip(segments, ids, strict=True):
            self._into[segment.to_node].append((name, segment.ways[-1]))
            self._out_of[segment.from_node].append((name, segment.ways[0]))
        for restriction in restrictions:
            self.outcomes[self._apply(restriction, node(restriction.via_node))] += 1

    def permits(self, from_segment: str, to_segment: str) -> bool:
        """Tell whether no restriction forbids this turn."""
        return (from_segment, to_segment) not in self.forbidden

    def _apply(self, restriction: TurnRestriction, via: Node) -> str:
        """Forbid the turns of one restriction over the node ``via``; return the outcome."""
        comers = [_on_way(self._into[via], way) for way in restriction.from_ways]
        goers = [_on_way(self._out_of[via], way) for way in restriction.to_ways]
        if any(len(found) > 1 for found in (*comers, *goers)):
            return AMBIGUOUS
        sources = {name for found in comers for name in found}
        targets = {name for found in goers for name in found}
        if not sources:
            return WITHOUT_EFFECT
        if restriction.only:
            if not targets:
                return TARGET_MISSING
            targets = {name for name, _ in self._out_of[via]} - targets
        elif not targets:
            return WITHOUT_EFFECT
        self.forbidden.update((source, target) for source in sources for target in targets)
        return APPLIED


def _on_way(segments: Sequence[tuple[str, Node]], way: int) -> list[str]:
    return [name for name, drawn_as in segments if drawn_as == way]
