"""The figures that tell whether an import went well."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from roadgraph.network.connectivity import KEPT, kilometres_by, numbered_parts

if TYPE_CHECKING:
    import pandas as pd

    from roadgraph.network.network import Network


@dataclass(frozen=True)
class NetworkSummary:
    """What a network is made of.

    Attributes:
        segments: how many there are.
        kilometres: their length; unknown lengths count nothing.
        by_class: ``segments`` and ``kilometres`` by road class, the longest first.
        links: how many there are.
        strong_parts: parts within which each segment can be reached from each.
        weak_parts: parts that no link joins.
        largest_part: segments of the largest strongly connected part.
        limit_known: share of segments whose speed limit the source tells, 0-1; None where the
            reader does not say.
    """

    segments: int
    kilometres: float
    by_class: pd.DataFrame
    links: int
    strong_parts: int
    weak_parts: int
    largest_part: int
    limit_known: float | None

    def counts(self) -> dict[str, float]:
        """Return the figures that are one number each, by what they are called in print."""
        known = {} if self.limit_known is None else {"speed limit known": self.limit_known}
        return {
            "segments": self.segments,
            "kilometres": round(self.kilometres, 1),
            "links": self.links,
            "strongly connected parts": self.strong_parts,
            "segments in the largest part": self.largest_part,
            "weakly connected parts": self.weak_parts,
            **known,
        }

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain numbers, lists and dictionaries."""
        return {**self.counts(), "by road class": class_records(self.by_class)}


def class_records(by_class: pd.DataFrame) -> list[dict[str, Any]]:
    """Return ``segments`` and ``kilometres`` by road class as plain dictionaries."""
    rows = by_class.reset_index().round({"kilometres": 3})
    return [{str(key): value for key, value in row.items()} for row in rows.to_dict("records")]


def summarise(network: Network) -> NetworkSummary:
    """Return the summary of a network."""
    strong, weak = (numbered_parts(network, kind) for kind in ("strong", "weak"))
    told = network.limit_told
    if told is None and network.segments["speed_limit_kph"].isna().all():
        limit_known: float | None = 0.0
    else:
        limit_known = None if told is None else round(float(told.mean()), 4)
    return NetworkSummary(
        segments=len(network.segments),
        kilometres=float(network.segments["length_m"].sum()) / 1000,
        by_class=kilometres_by(network.segments, "road_class"),
        links=len(network.links),
        strong_parts=int(strong.max()),
        weak_parts=int(weak.max()),
        largest_part=int((strong == KEPT).sum()),
        limit_known=limit_known,
    )
