"""Fictional street names: a street keeps its name as long as it runs straight on."""

from __future__ import annotations

import numpy as np

from simulation.street_plan import Link, undirected

RING_NAME = "Ring Road"
SPOKE_NAMES = (
    "East Road",
    "Temple Road",
    "Old Canal Road",
    "West Road",
    "Harbour Road",
    "Mill Road",
)
FIRST_WORDS = (
    "Tamarind", "Lotus", "Jasmine", "Mango", "Banyan", "Heron", "Kingfisher", "Orchid", "Teak",
    "Bamboo", "Cotton", "Lantern", "Silver", "Market", "School", "Garden", "Pottery", "Weaver",
    "Palm", "Rice Barn", "Ferry", "Bell", "Copper", "Fig", "Sandal", "Ginger", "Pepper", "Moon",
    "Elephant", "Crane", "Turtle", "Cicada", "Pomelo", "Coconut", "Indigo", "Silk", "Drum",
)  # fmt: skip
LAST_WORDS = {"tertiary": ("Avenue", "Road"), "residential": ("Lane", "Street", "Soi", "Row")}
STRAIGHT_ON_DEG = 35.0


def name_streets(
    points: np.ndarray, kinds: dict[Link, tuple], rng: np.random.Generator
) -> dict[Link, str]:
    """A name for each link; links of a class that run straight on share theirs."""
    names: dict[Link, str] = {}
    for link, (_, _, group) in kinds.items():
        if group == "ring":
            names[link] = RING_NAME
        elif group.startswith("spoke"):
            names[link] = SPOKE_NAMES[int(group.removeprefix("spoke"))]
    pools = {
        road_class: list(rng.permutation([f"{a} {b}" for a in FIRST_WORDS for b in last]))
        for road_class, last in LAST_WORDS.items()
    }
    for link in sorted(kinds):
        if link in names:
            continue
        name = str(pools[kinds[link][0]].pop())
        names[link] = name
        for end, start in (link, link[::-1]):
            _name_onward(points, kinds, names, name, start, end)
    return names


def _name_onward(
    points: np.ndarray, kinds: dict[Link, tuple], names: dict, name: str, start: int, end: int
) -> None:
    road_class = kinds[undirected(start, end)][0]
    while True:
        ahead = points[end] - points[start]
        best = None
        for link in sorted(kinds):
            if link in names or end not in link or kinds[link][0] != road_class:
                continue
            far = link[0] if link[1] == end else link[1]
            onward = points[far] - points[end]
            cosine = ahead @ onward / (np.hypot(*ahead) * np.hypot(*onward))
            turn_deg = float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))
            if turn_deg < STRAIGHT_ON_DEG and (best is None or turn_deg < best[0]):
                best = (turn_deg, far, link)
        if best is None:
            return
        names[best[2]] = name
        start, end = end, best[1]
