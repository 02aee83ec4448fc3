"""Where crossings lie, which streets join them, and which of them are main roads."""

from __future__ import annotations

import heapq

import numpy as np

from simulation.parameters import TOWN

Link = tuple[int, int]


def undirected(a: int, b: int) -> Link:
    """The link between two crossings, named the same from either end."""
    return (a, b) if a < b else (b, a)


def place_crossings(
    rng: np.random.Generator,
) -> tuple[np.ndarray, dict[Link, tuple], list[list[int]]]:
    """Crossings in metres, the arterial links with (class, lanes, group), and the ways out."""
    points: list[tuple[float, float]] = [(0.0, 0.0)]
    arterials: dict[Link, tuple] = {}
    gates: list[list[int]] = []

    def add(x: float, y: float, jitter_m: float = TOWN.node_jitter_m) -> int:
        dx, dy = rng.normal(0.0, jitter_m, 2)
        points.append((x + dx, y + dy))
        return len(points) - 1

    angles = 2 * np.pi * np.arange(TOWN.ring_nodes) / TOWN.ring_nodes + 0.12
    ring = [add(TOWN.ring_radii_m[0] * np.cos(a), TOWN.ring_radii_m[1] * np.sin(a)) for a in angles]
    for i, node in enumerate(ring):
        arterials[(node, ring[(i + 1) % len(ring)])] = ("primary", 1, "ring")
    for spoke, k in enumerate(TOWN.radial_ring_nodes):
        end = points[ring[k]]
        steps = max(2, round(np.hypot(*end) / TOWN.radial_spacing_m))
        sway_m = rng.normal(0.0, 60.0)
        previous, length_m = 0, np.hypot(*end)
        for i in range(1, steps):
            share = i / steps
            side = sway_m * np.sin(np.pi * share) / length_m
            x, y = end[0] * share - end[1] * side, end[1] * share + end[0] * side
            node = add(x, y, 20.0)
            arterials[(previous, node)] = ("secondary", 1, f"spoke{spoke}")
            previous = node
        arterials[(previous, ring[k])] = ("secondary", 1, f"spoke{spoke}")
        previous, way_out = ring[k], [ring[k]]
        lanes = 2 if k in TOWN.two_lane_radials else 1
        for radius_m in np.linspace(length_m, TOWN.gate_radius_m, 3)[1:]:
            x, y = end[0] / length_m * radius_m, end[1] / length_m * radius_m
            node = add(x, y)
            arterials[(previous, node)] = ("secondary", lanes, f"spoke{spoke}")
            previous = node
            way_out.append(node)
        gates.append(way_out)
    points = _fill(points, rng)
    return np.array(points), arterials, gates


def _fill(points: list[tuple[float, float]], rng: np.random.Generator) -> list:
    """Throws crossings at the town; keeps those far enough from every other one."""
    kept = np.array(points)
    for _ in range(TOWN.fill_attempts):
        x, y = rng.uniform(-1, 1, 2) * TOWN.town_radii_m
        reach = np.hypot(x / TOWN.town_radii_m[0], y / TOWN.town_radii_m[1])
        if reach > 1:
            continue
        spacing = TOWN.fill_spacing_centre_m + reach * (
            TOWN.fill_spacing_edge_m - TOWN.fill_spacing_centre_m
        )
        if np.hypot(*(kept - (x, y)).T).min() >= spacing:
            kept = np.vstack([kept, (x, y)])
    return [tuple(p) for p in kept]


def join_crossings(points: np.ndarray, arterials: dict[Link, tuple]) -> list[Link]:
    """The arterials plus a Gabriel graph, without crossing or nearly parallel streets."""
    squared = ((points[:, None] - points[None]) ** 2).sum(-1)
    forced = {undirected(*link) for link in arterials}
    links = sorted(forced)
    candidates = []
    for i in range(len(points)):
        for j in range(i + 1, len(points)):
            if (i, j) in forced:
                continue
            others = squared[i] + squared[j]
            others[[i, j]] = np.inf
            if others.min() >= squared[i, j]:
                candidates.append((squared[i, j], i, j))
    for _, i, j in sorted(candidates):
        if _south_of_river(points[i]) != _south_of_river(points[j]):
            continue  # only the arterials have bridges
        if any(_cross(points, (i, j), link) for link in links):
            continue
        if _clear_angles(points, links, (i, j)):
            links.append((i, j))
    return _without_dead_ends(links)


def _south_of_river(point: np.ndarray) -> bool:
    x, y = point
    return bool(y < TOWN.river_y_m + TOWN.river_swing_m * np.sin(x / TOWN.river_bend_m))


def _cross(points: np.ndarray, a: Link, b: Link) -> bool:
    if set(a) & set(b):
        return False
    p, q, r, s = points[a[0]], points[a[1]], points[b[0]], points[b[1]]

    def side(o: np.ndarray, u: np.ndarray, v: np.ndarray) -> float:
        return (u[0] - o[0]) * (v[1] - o[1]) - (u[1] - o[1]) * (v[0] - o[0])

    return side(p, q, r) * side(p, q, s) < 0 and side(r, s, p) * side(r, s, q) < 0


def _clear_angles(points: np.ndarray, links: list[Link], new: Link) -> bool:
    for node, far in (new, new[::-1]):
        toward = points[far] - points[node]
        for link in links:
            if node not in link:
                continue
            other = points[link[0] if link[1] == node else link[1]] - points[node]
            cosine = toward @ other / (np.hypot(*toward) * np.hypot(*other))
            if np.degrees(np.arccos(np.clip(cosine, -1, 1))) < TOWN.min_crossing_angle_deg:
                return False
    return True


def _without_dead_ends(links: list[Link]) -> list[Link]:
    """A dead end would need a turnaround; streets into one are dropped until none is left."""
    while True:
        degree = np.bincount(np.array(links).ravel())
        kept = [link for link in links if degree[link[0]] > 1 and degree[link[1]] > 1]
        if len(kept) == len(links):
            return sorted(kept)
        links = kept


def classify(
    points: np.ndarray, links: list[Link], arterials: dict[Link, tuple], rng: np.random.Generator
) -> dict[Link, tuple]:
    """(class, lanes, group) of each link: collectors are shortest ways across the town."""
    kinds = {undirected(*link): kind for link, kind in arterials.items()}
    kinds = {link: kinds[link] for link in links if link in kinds}
    nodes = sorted({n for link in links for n in link})
    outer = [n for n in nodes if np.hypot(*points[n]) > 1_000.0]
    for route in range(TOWN.tertiary_routes):
        start = int(rng.choice(outer))
        target = min(outer, key=lambda n: float(points[n] @ points[start]))
        for link in _shortest(points, links, kinds, start, target):
            kinds.setdefault(link, ("tertiary", 1, f"collector{route}"))
    return {link: kinds.get(link, ("residential", 1, "")) for link in links}


def _shortest(points: np.ndarray, links: list[Link], kinds: dict, start: int, target: int) -> list:
    """Dijkstra that keeps off the arterials, so that collectors run between them."""
    costs: dict[int, list] = {}
    for i, j in links:
        factor = 3.0 if (i, j) in kinds else 1.0
        cost = factor * float(np.hypot(*(points[i] - points[j])))
        costs.setdefault(i, []).append((j, cost))
        costs.setdefault(j, []).append((i, cost))
    queue, came_from, done = [(0.0, start, -1)], {}, set()
    while queue:
        cost, node, previous = heapq.heappop(queue)
        if node in done:
            continue
        done.add(node)
        came_from[node] = previous
        for other, step in costs[node]:
            heapq.heappush(queue, (cost + step, other, node))
    way, node = [], target
    while came_from[node] >= 0:
        way.append(undirected(node, came_from[node]))
        node = came_from[node]
    return way
