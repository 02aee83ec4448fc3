"""From when to when there are observations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from roadgraph.slices.store import observed_starts, stored_days

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path


@dataclass(frozen=True)
class Observed:
    """From when to when there are observations.

    Attributes:
        first: the first local day of the store.
        until: the moment (UTC) at which the newest slice with an observation is over.
    """

    first: date
    until: pd.Timestamp


def observed_time(slices: Path, slice_minutes: int) -> Observed | None:
    """Return from when to when there are observations, or None without any.

    Args:
        slices: the store.
        slice_minutes: length of a slice.

    Raises:
        DataError: the slices of a day are damaged.
    """
    days = stored_days(slices)
    for day in reversed(days):
        starts = observed_starts(slices, day)
        if len(starts):
            return Observed(days[0], starts[-1] + pd.Timedelta(minutes=slice_minutes))
    return None
