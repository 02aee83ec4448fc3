"""Draws the town: crossings, streets, road classes and names, before SUMO sees any of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from simulation.parameters import ROAD_CLASSES, TOWN
from simulation.street_names import name_streets
from simulation.street_plan import Link, classify, join_crossings, place_crossings


@dataclass(frozen=True)
class Segment:
    """One driving direction of one street between two crossings; metres, local plane."""

    segment_id: str
    from_node: str
    to_node: str
    name: str
    road_class: str
    lanes: int
    speed_limit_kph: float
    line_m: tuple[tuple[float, float], ...]

    @property
    def length_m(self) -> float:
        """Length of the centre line from crossing to crossing."""
        points = np.array(self.line_m)
        return float(np.hypot(*np.diff(points, axis=0).T).sum())


@dataclass(frozen=True)
class Town:
    """The whole street plan."""

    nodes_m: dict[str, tuple[float, float]]
    segments: tuple[Segment, ...]
    gates: frozenset[str]  # crossings at the edge, where through traffic comes and goes
    traffic_lights: frozenset[str]


def follows(segments: tuple[Segment, ...]) -> dict[str, list[str]]:
    """Which segments can be driven straight after each one; no turning back."""
    leaving: dict[str, list[Segment]] = {}
    for segment in segments:
        leaving.setdefault(segment.from_node, []).append(segment)
    return {
        s.segment_id: [t.segment_id for t in leaving.get(s.to_node, []) if t.to_node != s.from_node]
        for s in segments
    }


def strongly_connected(segments: tuple[Segment, ...]) -> bool:
    """Whether every segment can be reached from every other one without turning back."""
    forward = follows(segments)
    backward: dict[str, list[str]] = {s: [] for s in forward}
    for source, targets in forward.items():
        for target in targets:
            backward[target].append(source)
    for graph in (forward, backward):
        seen, stack = set(), [segments[0].segment_id]
        while stack:
            segment = stack.pop()
            if segment not in seen:
                seen.add(segment)
                stack.extend(graph[segment])
        if len(seen) < len(segments):
            return False
    return True


def make_one_way(segments: tuple[Segment, ...], rng: np.random.Generator) -> tuple[Segment, ...]:
    """Closes one direction of a few back streets where the town stays connected."""
    streets = sorted(s.segment_id for s in segments if s.road_class == "residential")
    closed = 0
    for segment_id in rng.permutation(streets):
        rest = tuple(s for s in segments if s.segment_id != segment_id)
        gone = next(s for s in segments if s.segment_id == segment_id)
        has_reverse = any((s.from_node, s.to_node) == (gone.to_node, gone.from_node) for s in rest)
        if has_reverse and strongly_connected(rest):
            segments, closed = rest, closed + 1
        if closed == TOWN.one_way_streets:
            break
    return tuple(replace(s, segment_id=f"s{i:04d}") for i, s in enumerate(segments, start=1))


def draw_town(rng: np.random.Generator) -> Town:
    """The street plan of one seed."""
    points, arterials, ways_out = place_crossings(rng)
    links = join_crossings(points, arterials)
    kinds = classify(points, links, arterials, rng)
    names = name_streets(points, kinds, rng)
    used = sorted({n for link in links for n in link})
    label = {n: f"n{i:03d}" for i, n in enumerate(used, start=1)}
    nodes_m = {label[n]: (round(points[n][0], 2), round(points[n][1], 2)) for n in used}
    segments: list[Segment] = []
    for link in links:
        road_class, lanes, _ = kinds[link]
        limits = ROAD_CLASSES[road_class].speed_limits_kph
        central = np.hypot(*points[list(link)].mean(0)) < 800.0
        limit_kph = limits[0] if central else limits[-1]
        line = _bend(nodes_m[label[link[0]]], nodes_m[label[link[1]]], rng)
        for a, b, way in ((link[0], link[1], line), (link[1], link[0], line[::-1])):
            segments.append(
                Segment("", label[a], label[b], names[link], road_class, lanes, limit_kph, way)
            )
    numbered = tuple(replace(s, segment_id=f"s{i:04d}") for i, s in enumerate(segments, 1))
    numbered = make_one_way(numbered, rng)
    if not strongly_connected(numbered):
        raise RuntimeError("the town is not strongly connected; try another seed")
    lights = frozenset(label[n] for n in used if _needs_light(n, kinds))
    gates = frozenset(label[[n for n in way_out if n in label][-1]] for way_out in ways_out)
    return Town(nodes_m, numbered, gates, lights)


def _needs_light(node: int, kinds: dict[Link, tuple]) -> bool:
    """Lights stand where three streets or more meet and at least two are more than residential."""
    arms = [kind[0] for link, kind in kinds.items() if node in link]
    return len(arms) >= 3 and sum(arm != "residential" for arm in arms) >= 2


def _bend(a: tuple, b: tuple, rng: np.random.Generator) -> tuple[tuple[float, float], ...]:
    """A street between two crossings: gently curved, three inner points."""
    start, end = np.array(a), np.array(b)
    across = np.array([-(end - start)[1], (end - start)[0]])
    bend = rng.normal(0.0, TOWN.bend_share)
    inner = [
        start + (end - start) * t + across * bend * np.sin(np.pi * t) for t in (0.25, 0.5, 0.75)
    ]
    return (a, *((round(x, 2), round(y, 2)) for x, y in inner), b)
