"""How roads lie as seen from one of them: ahead, behind, beside or elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

if TYPE_CHECKING:
    from roadgraph.network.network import Network

Relation = Literal["itself", "downstream", "upstream", "nearby", "elsewhere"]
RELATIONS: tuple[Relation, ...] = get_args(Relation)
"""``downstream``: traffic drives there from the segment; ``upstream``: it comes from there;
``nearby``: neither, but linked over others, such as another way into the same junction."""

REACH = 5
"""Links; what lies farther away is elsewhere."""


@dataclass(frozen=True)
class Surroundings:
    """Where the ``N`` segments of a network lie, as seen from one of them.

    Attributes:
        relations: ``[N]`` places in ``RELATIONS``.
        links: ``[N]`` links to each; ``REACH + 1`` where it is elsewhere.
        metres: ``[N]`` along the road between the ends that face each other, of those downstream
            and upstream; NaN for the others and where lengths are unknown.
    """

    relations: np.ndarray
    links: np.ndarray
    metres: np.ndarray


def surroundings_of(network: Network, place: int) -> Surroundings:
    """Return how the segments of ``network`` lie as seen from that at ``place``.

    What is both downstream and upstream, on a ring of roads, is where it is fewer links away; of as
    many, where it is fewer metres away, and where that is unknown or the same, downstream.
    """
    links = network.link_indices()
    source, target = links["source"].to_numpy(), links["target"].to_numpy()
    length_m = network.segments["length_m"].astype("float64").to_numpy()
    down, down_m = _along(source, target, length_m, place)
    up, up_m = _along(target, source, length_m, place)
    both = np.concatenate([source, target]), np.concatenate([target, source])
    near, _ = _along(*both, length_m, place)
    relations = np.full(len(length_m), RELATIONS.index("elsewhere"), dtype=np.int8)
    relations[near <= REACH] = RELATIONS.index("nearby")
    behind = up <= REACH
    # A comparison with NaN is False.
    ahead = (down <= REACH) & ((down < up) | ((down == up) & ~(up_m < down_m)))
    relations[behind] = RELATIONS.index("upstream")
    relations[ahead] = RELATIONS.index("downstream")
    relations[place] = RELATIONS.index("itself")
    metres = np.where(ahead, down_m, np.where(behind, up_m, np.nan))
    return Surroundings(relations, np.where(ahead, down, np.where(behind, up, near)), metres)


def _along(
    source: np.ndarray, target: np.ndarray, length_m: np.ndarray, place: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return links and metres from ``place`` to all, along links from source to target.

    The metres are those of the shortest of the ways with the fewest links, without both ends.
    """
    links = np.full(len(length_m), REACH + 1, dtype=np.int64)
    metres = np.full(len(length_m), np.inf)
    between_m = np.where(np.isnan(length_m), np.inf, length_m)
    links[place], metres[place], between_m[place] = 0, 0.0, 0.0
    for number in range(1, REACH + 1):
        steps = (links[source] == number - 1) & (links[target] > REACH)
        reached = target[steps]
        np.minimum.at(metres, reached, (metres + between_m)[source[steps]])
        links[reached] = number
    return links, np.where(np.isinf(metres), np.nan, metres)
