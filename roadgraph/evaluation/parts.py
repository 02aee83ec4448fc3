"""Parts of the test span that have rows of their own: kinds of segments and times of day."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from roadgraph.calendar import local_hours

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from roadgraph.dataset.dataset import Dataset

ALL = "all"
OBSERVED_SEGMENTS = "observed segments"
HIDDEN_SEGMENTS = "hidden segments"
TIMES_OF_DAY = {
    "night 0-6": (0, 6),
    "morning 6-10": (6, 10),
    "midday 10-16": (10, 16),
    "evening 16-20": (16, 20),
    "late 20-24": (20, 24),
}
"""Name to local hours, [start, end)."""


@dataclass(frozen=True)
class Parts:
    """Which segments and which slices belong to each part, beside all of them.

    Attributes:
        segments: name to mask ``[N]``.
        slices: name to mask ``[T]``; a cell belongs to the part by its target's slice.
    """

    segments: dict[str, np.ndarray] = field(default_factory=dict)
    slices: dict[str, np.ndarray] = field(default_factory=dict)


def parts_of(
    dataset: Dataset, road_class: np.ndarray, zone: ZoneInfo, hidden: np.ndarray | None = None
) -> Parts:
    """Return the parts of a city: hidden or not, classes of road, times of the local day.

    Args:
        dataset: gives the clock.
        road_class: ``[N]`` text.
        zone: the city's time zone.
        hidden: ``[N]`` bool, segments whose observations no model sees; None: none is hidden.
    """
    segments = {}
    if hidden is not None and hidden.any():
        segments = {OBSERVED_SEGMENTS: ~hidden, HIDDEN_SEGMENTS: hidden}
    names = np.asarray(road_class, dtype=object)
    for name in sorted(set(names.tolist())):
        segments[f"road class {name}"] = names == name
    hours = local_hours(dataset.grid.slice_starts, zone)
    slices = {name: (hours >= start) & (hours < end) for name, (start, end) in TIMES_OF_DAY.items()}
    return Parts(segments, slices)
