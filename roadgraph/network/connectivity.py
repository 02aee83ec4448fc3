"""Which segments traffic can get to and back from, and what is cut away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from scipy.sparse import coo_array, csgraph

from roadgraph.errors import DataError
from roadgraph.network.network import Network

if TYPE_CHECKING:
    from collections.abc import Sequence

CUT_COLUMNS = ["segment_id", "part", "road_class", "length_m"]
KEPT = 1
"""Number of the part that is kept: parts are numbered by their size."""


@dataclass(frozen=True)
class Cut:
    """What was cut away from a network.

    Attributes:
        segments: the segments in the order of their part and id: ``segment_id``, ``part`` (from 2
            on; 1 is the part that was kept), ``road_class``, ``length_m``.
    """

    segments: pd.DataFrame

    @classmethod
    def nothing(cls) -> Cut:
        """Return the account of a network that was left whole."""
        return cls(pd.DataFrame({name: [] for name in CUT_COLUMNS}))

    def __len__(self) -> int:
        return len(self.segments)

    @property
    def kilometres(self) -> float:
        """Length of all that was cut away; unknown lengths count nothing."""
        return float(self.segments["length_m"].sum()) / 1000

    def by_class(self) -> pd.DataFrame:
        """Return ``segments`` and ``kilometres`` by road class, the longest first."""
        return kilometres_by(self.segments, "road_class")

    def by_part(self) -> pd.DataFrame:
        """Return ``segments`` and ``kilometres`` by part, in their order."""
        return kilometres_by(self.segments, "part").sort_index()


def kilometres_by(segments: pd.DataFrame, column: str) -> pd.DataFrame:
    """Return how many ``segments`` of how many ``kilometres`` there are by value of a column.

    Args:
        segments: with ``length_m`` and the column.
        column: such as ``road_class``.

    Returns:
        Indexed by the column, the longest first, then by name.
    """
    lengths = segments.groupby(column)["length_m"]
    groups = pd.DataFrame({"segments": lengths.size(), "kilometres": lengths.sum() / 1000})
    return groups.sort_index().sort_values("kilometres", ascending=False, kind="stable")


def keep_largest_part(network: Network, source: str) -> tuple[Network, Cut]:
    """Keep the segments of which each can be reached from each, over the links.

    Of parts of the same number of segments the longer one is the larger, then that of the first
    segment id, so that the same network always keeps the same part.

    Args:
        network: the whole network.
        source: the file it came from, for the message.

    Raises:
        DataError: no segment can be got back to from another.
    """
    parts = numbered_parts(network)
    kept = parts == KEPT
    if kept.all():
        return network, Cut.nothing()
    if kept.sum() == 1:
        raise DataError(
            f"{source}: no two of its {len(parts)} segments can be reached from each other, so "
            "there is no connected part to keep; do the lines run in driving direction, and do "
            "they meet in common nodes? network.parts=all keeps them as they are"
        )
    gone = network.segments[~kept].drop(columns="geometry").assign(part=parts[~kept])
    cut = pd.DataFrame(gone[CUT_COLUMNS].sort_values(["part", "segment_id"], ignore_index=True))
    segments = network.segments[kept].reset_index(drop=True)
    ids = set(segments["segment_id"])
    linked = network.links["from_segment"].isin(ids) & network.links["to_segment"].isin(ids)
    told = None if network.limit_told is None else network.limit_told[kept]
    return Network(segments, network.links[linked].reset_index(drop=True), told), Cut(cut)


def numbered_parts(
    network: Network, connection: Literal["strong", "weak"] = "strong"
) -> np.ndarray:
    """Return the number of every segment's part, ``[N]``, 1 for the largest.

    Args:
        network: whose links join segments.
        connection: ``strong`` follows links in their direction alone, ``weak`` both ways.
    """
    links = network.link_indices()
    count = len(network.segment_ids)
    entries = np.ones(len(links)), (links["source"].to_numpy(), links["target"].to_numpy())
    graph = coo_array(entries, shape=(count, count))
    _, label = csgraph.connected_components(graph, connection=connection)
    facts = pd.DataFrame(
        {
            "label": label,
            "length_m": network.segments["length_m"].fillna(0.0).to_numpy(),
            "segment_id": network.segment_ids,
        }
    )
    sizes = facts.groupby("label").agg(
        segments=("label", "size"), length_m=("length_m", "sum"), first=("segment_id", "min")
    )
    order = sizes.sort_values(["segments", "length_m", "first"], ascending=[False, False, True])
    number = pd.Series(range(KEPT, KEPT + len(order)), index=order.index)
    return np.asarray(number[label])


def first_names(names: Sequence[str], most: int = 5) -> str:
    """Return the first few names, separated by commas, and how many there are besides."""
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest:,} more" if rest > 0 else "")
